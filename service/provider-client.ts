import { PlasmError } from './errors.ts'

export const DEFAULT_ADDRESS = 'http://127.0.0.1:8080'
const TIMEOUT_MS = 5_000

/** GET /status of a provider, as it answered. @throws PlasmError `address-invalid` | `provider-unreachable` | `provider-error` */
export async function providerStatus(address: string): Promise<Record<string, unknown>> {
  const { request } = await import('undici')
  const url = URL.parse('/status', address)
  if (url?.protocol !== 'http:') {
    throw new PlasmError('address-invalid', `${address} is not an http:// URL`, {
      facts: { address },
      hint: `give --addr a base URL such as ${DEFAULT_ADDRESS}`,
    })
  }
  let answer: Awaited<ReturnType<typeof request>>
  try {
    answer = await request(url, { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS })
  } catch (cause) {
    throw new PlasmError('provider-unreachable', `no provider answers at ${address}: ${(cause as Error).message}`, {
      cause,
      facts: { provider: address },
      hint: 'start one with `plasmd serve`, or name another with --addr',
    })
  }
  const body = await answer.body.text()
  try {
    if (answer.statusCode !== 200) throw new Error(`HTTP status ${answer.statusCode}`)
    return JSON.parse(body) as Record<string, unknown>
  } catch (cause) {
    throw new PlasmError(
      'provider-error',
      `${address} does not answer as a provider does: ${(cause as Error).message}`,
      {
        cause,
        facts: { provider: address, status: answer.statusCode },
      },
    )
  }
}
