import { request } from 'undici'
import { PROVIDER_PORT } from './addresses.ts'

const ANSWER_WITHIN_MS = 3000

/** How many body bytes a provider says it has served (`GET /status`), or null when it does not answer or does not say. */
export async function servedBytes(address: string): Promise<number | null> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
    const answer = await request(`http://${address}:${PROVIDER_PORT}/status`, { signal })
    const status = (await answer.body.json()) as { metrics?: { bytes_served_total?: unknown } }
    const bytes = status.metrics?.bytes_served_total
    return typeof bytes === 'number' ? bytes : null
  } catch {
    return null
  }
}
