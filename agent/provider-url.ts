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
  const problem = httpUrlProblem(text)
  if (problem === undefined) return new URL(text.trim())
  throw new PlasmError('config-invalid', `${parameter}: "${text}" ${problem}`, {
    facts: { parameter, value: text },
    hint: `write ${parameter}=http://host:8080`,
  })
}

/** @returns what is wrong with it, or undefined */
export function httpUrlProblem(text: string): string | undefined {
  const url = URL.parse(text.trim())
  if (!url) return 'is not a URL'
  if (url.protocol !== 'http:') return 'is not an http URL'
  if (url.username || url.password) return 'has credentials in it'
  return url.search || url.hash ? 'has a query or a fragment' : undefined
}
