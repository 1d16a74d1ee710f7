import { PlasmError } from './errors.ts'
import { openClient } from './http-client.ts'

export const DEFAULT_ADDRESS = 'http://127.0.0.1:8080'
const TIMEOUT_MS = 5_000

/** GET /status of a provider, as it answered. @throws PlasmError `address-invalid` | `provider-unreachable` | `provider-error` */
export async function providerStatus(address: string): Promise<Record<string, unknown>> {
  const url = URL.parse('/status', address)
  if (url?.protocol !== 'http:') {
    throw new PlasmError('address-invalid', `${address} is not an http:// URL`, {
      facts: { address },
      hint: `give --addr a base URL such as ${DEFAULT_ADDRESS}`,
    })
  }
  const client = await openClient(url.origin, { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS })
  let answer: { statusCode: number; body: string }
  try {
    const { statusCode, body } = await client.request({ method: 'GET', path: url.pathname })
    answer = { statusCode, body: await body.text() }
  } catch (cause) {
    throw new PlasmError('provider-unreachable', `no provider answers at ${address}: ${(cause as Error).message}`, {
      cause,
      facts: { provider: address },
      hint: 'start one with `plasmd serve`, or name another with --addr',
    })
  } finally {
    await client.destroy()
  }
  try {
    if (answer.statusCode !== 200) throw new Error(`HTTP status ${answer.statusCode}`)
    return JSON.parse(answer.body) as Record<string, unknown>
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
