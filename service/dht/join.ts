import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type BootstrapAddress, type BootstrapPeer, MAX_BOOTSTRAP_PEERS } from './bootstrap-peer.ts'
import type { Libp2pNode } from './libp2p-node.ts'
import { type Dns, resolveBootstrap, SYSTEM_DNS } from './resolve-bootstrap.ts'

/** At first the network may only be coming up; a bootstrap peer may come back after hours. */
const RETRY_FIRST_MS = 250
const RETRY_LAST_MS = 30_000
/** How often a connection is looked after. */
const LOOK_EVERY_MS = 5_000
const DIAL_WITHIN_MS = 3_000

export interface Joining {
  /** One more peer to join by, known from elsewhere: a neighbour on the link. One that is known already changes nothing. */
  add(peer: BootstrapPeer): void
}

/** Keeps a node connected to its bootstrap peers until aborted: each is tried for ever, with growing pauses, and again when it goes. */
export function keepJoined(
  node: Libp2pNode,
  peers: readonly BootstrapPeer[],
  signal: AbortSignal,
  dns: Dns = SYSTEM_DNS,
): Joining {
  const known = new Set<string>()
  const add = (peer: BootstrapPeer) => {
    const name = JSON.stringify(peer)
    if (known.has(name) || known.size >= 2 * MAX_BOOTSTRAP_PEERS) return
    known.add(name)
    void keepConnected(node, peer, signal, dns)
  }
  for (const peer of peers) add(peer)
  return { add }
}

async function keepConnected(node: Libp2pNode, peer: BootstrapPeer, signal: AbortSignal, dns: Dns): Promise<void> {
  for (let pause = RETRY_FIRST_MS; !signal.aborted; ) {
    if (await connect(node, peer, signal, dns)) pause = RETRY_FIRST_MS
    await sleep(pause, undefined, { signal, ref: false }).catch(() => {})
    pause = Math.min(pause * 2, RETRY_LAST_MS)
  }
}

/** @returns once the connection has ended: true; false where none could be made */
async function connect(node: Libp2pNode, peer: BootstrapPeer, signal: AbortSignal, dns: Dns): Promise<boolean> {
  const addresses = await resolveBootstrap(peer, dns).catch(() => [])
  const connections = await Promise.all(addresses.map((address) => dial(node, address, signal)))
  const open = connections.filter((connection) => connection !== undefined)
  while (!signal.aborted && open.some(({ status }) => status === 'open')) {
    await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {})
  }
  return open.length > 0
}

async function dial(node: Libp2pNode, address: BootstrapAddress, signal: AbortSignal) {
  // A machine may well be in the list that all machines have.
  if (address.peerId === node.peerId.toString()) return undefined
  const within = AbortSignal.any([signal, AbortSignal.timeout(DIAL_WITHIN_MS)])
  return node.dial(asMultiaddr(address), { signal: within }).catch(() => undefined)
}

export function asMultiaddr({ host, port, peerId }: BootstrapAddress): Multiaddr {
  return multiaddr(`/ip${isIP(host)}/${host}/tcp/${port}${peerId === undefined ? '' : `/p2p/${peerId}`}`)
}
