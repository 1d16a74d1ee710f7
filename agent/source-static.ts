import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Source } from './source.ts'

const RETRY_MS = 200
const CONNECT_WITHIN_MS = 1_000

/** A provider that was named: it is a candidate once something listens there. At first there may be no network yet. */
export function namedProvider(url: string): Source {
  return async (consider, signal) => {
    while (!signal.aborted) {
      if (await listens(url, signal)) {
        consider({ url, source: 'static', name: null, generation: null })
        return
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
    }
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
