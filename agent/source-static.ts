import { setTimeout as sleep } from 'node:timers/promises'
import { connectProblem } from './connect-problem.ts'
import type { Source } from './source.ts'

const RETRY_MS = 200
const CONNECT_WITHIN_MS = 1_000

/** A provider that was named: it is a candidate once something listens there. */
export function namedProvider(url: string): Source {
  return (consider, signal) =>
    whenItListens(
      url,
      () => true,
      signal,
      () => consider({ url, source: 'static', name: null, generation: null }),
    )
}

/**
 * At first there may be no network yet, so it is tried again and again.
 * @param mayBeAsked whether a packet may go there now
 */
export async function whenItListens(
  url: string,
  mayBeAsked: () => boolean,
  signal: AbortSignal,
  listening: () => void,
): Promise<void> {
  while (!signal.aborted) {
    if (mayBeAsked() && (await connectProblem(url, CONNECT_WITHIN_MS, signal)) === undefined) return listening()
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
  }
}
