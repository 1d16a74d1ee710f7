import type { PeerId } from '@libp2p/interface'
import { makeNodeKey } from '../node-key.ts'
import type { BootstrapPeer } from './bootstrap-peer.ts'
import { findProviders, findValues } from './lookup.ts'
import { createDhtNode } from './node.ts'
import { askProvider, type PeerAnswer } from './provider-protocol.ts'

/** A peer that is said to provide something. */
export interface FoundPeer {
  readonly peerId: string
  /** Where it is said to be reached, for people. */
  readonly addresses: readonly string[]
  /** @throws Error whose message says what is wrong with the peer */
  ask(): Promise<PeerAnswer>
}

/** Somebody who only asks the DHT. */
export interface DhtClient {
  /** One more peer to join by. */
  join(peer: BootstrapPeer): void
  /** Whether anybody is there to be asked. */
  joined(): boolean
  values(key: Uint8Array): AsyncGenerator<Uint8Array>
  providers(key: Uint8Array): AsyncGenerator<FoundPeer>
  stop(): Promise<void>
}

/**
 * Joins the DHT to look something up. By a key of its own, made for that: a machine that looks is nobody who provides, and may be
 * running a node with its own key already.
 */
export async function openDhtClient(bootstrap: readonly BootstrapPeer[], signal: AbortSignal): Promise<DhtClient> {
  const node = await createDhtNode({ key: makeNodeKey(), listen: null, bootstrap, signal })
  const { libp2p } = node
  const found = async (key: Uint8Array, peer: PeerId): Promise<FoundPeer> => ({
    peerId: peer.toString(),
    addresses: await addressesOf(peer),
    ask: () => askProvider(libp2p, peer, key, signal),
  })
  const addressesOf = (peer: PeerId) =>
    libp2p.peerStore.get(peer).then(
      ({ addresses }) => addresses.map(({ multiaddr }) => multiaddr.toString()),
      () => [],
    )
  return {
    join: node.add,
    joined: () => libp2p.services.dht.routingTable.size > 0,
    values: (key) => findValues(libp2p, key, signal),
    async *providers(key) {
      for await (const peer of findProviders(libp2p, key, signal)) yield await found(key, peer)
    },
    stop: node.stop,
  }
}
