import type { ClientRequest } from 'node:http'
import { browse } from './browse.ts'
import type { DhtPlace } from './find-in-dht.ts'
import type { AskedProvider, FoundProvider } from './found-provider.ts'

const ANSWER_WITHIN_MS = 3_000

/** Who is out there. */
export interface FoundAround {
  readonly providers: readonly AskedProvider[]
  /** Why the DHT was not joined, for people, with what to do. */
  readonly notJoined?: string
}

/**
 * Looks around as somebody from outside does: on the link, and in the DHT where that is asked for; and asks everybody once, whether it
 * answers.
 * @param inDht absent: the DHT is not asked
 */
export async function findAround(inDht?: DhtPlace): Promise<FoundAround> {
  const [onLink, dht] = await Promise.all([browse(), inDht ? findDht(inDht) : { found: [] as FoundProvider[] }])
  const providers = await Promise.all([...onLink, ...dht.found].map(asked))
  return { ...('notJoined' in dht ? { notJoined: dht.notJoined } : {}), providers }
}

async function findDht(place: DhtPlace) {
  const { findInDht } = await import('./find-in-dht.ts')
  return findInDht(place)
}

async function asked({ problem, ...found }: FoundProvider): Promise<AskedProvider> {
  if (problem !== undefined) return { ...found, latencyMs: null, verdict: `rejected: ${problem}` }
  const since = performance.now()
  try {
    const status = await statusOf(found)
    const latencyMs = Math.round(performance.now() - since)
    return {
      ...found,
      latencyMs,
      verdict: status < 500 ? 'answers' : `rejected: it answers with HTTP status ${status}`,
    }
  } catch (thrown) {
    return { ...found, latencyMs: null, verdict: `rejected: ${(thrown as Error).message}` }
  }
}

/** HTTP status of `GET /status`: a plain file server has no such thing, and is a provider all the same. */
function statusOf({ url, reach }: FoundProvider): Promise<number> {
  const http = process.getBuiltinModule('node:http')
  const { host } = new URL(url)
  return new Promise((resolve, reject) => {
    const elsewhere = reach === undefined ? {} : { hostname: reach }
    const request: ClientRequest = http.get(`${url}/status`, { headers: { host }, agent: false, ...elsewhere })
    const late = () => request.destroy(new Error(`it does not answer within ${ANSWER_WITHIN_MS / 1000} s`))
    const timer = setTimeout(late, ANSWER_WITHIN_MS)
    request.once('close', () => clearTimeout(timer))
    request.once('error', reject)
    request.once('response', ({ statusCode = 0 }) => {
      resolve(statusCode)
      request.destroy()
    })
  })
}
