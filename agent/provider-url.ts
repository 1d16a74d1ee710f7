import { PlasmError } from '../service/errors.ts'

/**
 * A provider's base URL without a trailing slash. Only plain http: what is fetched is proven by digests, and an initramfs
 * holds no certificate store.
 * @throws PlasmError `config-invalid` (facts: `parameter`, `value`)
 */
export function providerUrl(parameter: string, text: string): string {
  const url = plainHttp(parameter, text)
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

/** An http URL for reports, its path kept as it is. @throws PlasmError `config-invalid` */
export function reportUrl(parameter: string, text: string): string {
  return plainHttp(parameter, text).href
}

function plainHttp(parameter: string, text: string): URL {
  const url = URL.parse(text.trim())
  const problem = !url
    ? 'is not a URL'
    : url.protocol !== 'http:'
      ? 'is not an http URL'
      : url.username || url.password
        ? 'has credentials in it'
        : url.search || url.hash
          ? 'has a query or a fragment'
          : undefined
  if (url && !problem) return url
  throw new PlasmError('config-invalid', `${parameter}: "${text}" ${problem}`, {
    facts: { parameter, value: text },
    hint: `write ${parameter}=http://host:8080`,
  })
}
