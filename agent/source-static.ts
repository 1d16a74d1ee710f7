import { setTimeout as sleep } from 'node:timers/promises'
import { connectProblem } from './connect-problem.ts'
import type { Source } from './source.ts'

const RETRY_MS = 200
const CONNECT_WITHIN_MS = 1_000
const NOT_ON_LINK = 'it is on no link of this machine, and phase.mode=local asks nobody beyond'

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
 * @param silent told each time why it does not
 */
export async function whenItListens(
  url: string,
  mayBeAsked: () => boolean,
  signal: AbortSignal,
  listening: () => void,
  silent: (problem: string) => void = () => {},
): Promise<void> {
  while (!signal.aborted) {
    const problem = mayBeAsked() ? await connectProblem(url, CONNECT_WITHIN_MS, signal) : NOT_ON_LINK
    if (problem === undefined) return listening()
    if (!signal.aborted) silent(problem)
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
  }
}
