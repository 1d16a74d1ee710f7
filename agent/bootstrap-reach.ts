import { setTimeout as sleep } from 'node:timers/promises'
import { parseBootstrapPeer } from '../service/dht/bootstrap-peer.ts'
import { resolveBootstrap } from '../service/dht/resolve-bootstrap.ts'
import { hostInUrl } from '../service/url-host.ts'
import { connectProblem } from './connect-problem.ts'

const WITHIN_MS = 2_000

export interface BootstrapReach {
  /** As it was written. */
  readonly peer: string
  /** Why it cannot be connected to, or null. That something listens there does not say that it is a node of the DHT. */
  readonly problem: string | null
}

/** Tries to connect to each bootstrap peer by TCP, asking DNS where it is a name. Nothing is sent, and no part of libp2p is loaded. */
export function reachBootstrap(peers: readonly string[], withinMs = WITHIN_MS): Promise<readonly BootstrapReach[]> {
  return Promise.all(peers.map(async (peer) => ({ peer, problem: (await problemAt(peer, withinMs)) ?? null })))
}

async function problemAt(text: string, withinMs: number): Promise<string | undefined> {
  const stop = new AbortController()
  const late = sleep(withinMs, undefined, { signal: stop.signal }).catch(() => {})
  try {
    const addresses = await Promise.race([addressesOf(text), late])
    if (addresses === undefined) return `DNS does not answer within ${withinMs / 1000} s`
    if (addresses.length === 0) return 'DNS knows no address of it'
    const problems = await Promise.all(
      addresses.map(({ host, port }) => connectProblem(`http://${hostInUrl(host)}:${port}`, withinMs, stop.signal)),
    )
    return problems.includes(undefined) ? undefined : problems[0]
  } catch (thrown) {
    return (thrown as Error).message
  } finally {
    stop.abort()
  }
}

async function addressesOf(text: string) {
  const peer = parseBootstrapPeer(text)
  return peer === undefined ? [] : resolveBootstrap(peer)
}
