import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
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
    if (mayBeAsked() && (await listens(url, signal))) return listening()
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
  }
}

function listens(url: string, signal: AbortSignal): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port || 80), timeout: CONNECT_WITHIN_MS, signal })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
