import type { PeerId } from '@libp2p/interface'
import { type Libp2pNode, SEVERAL_VALUES } from './libp2p-node.ts'
import { providerKey } from './provider-keys.ts'

/**
 * Every value that is found under a key, as the answers come; none where nobody has one, or nobody is there.
 * @throws where the signal aborts
 */
export async function* findValues(node: Libp2pNode, key: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const event of node.services.dht.get(key, { signal })) {
      if (event.name === 'PEER_RESPONSE' && event.record) yield event.record.value
    }
  } catch (thrown) {
    if (!(thrown instanceof Error && thrown.message === SEVERAL_VALUES)) throw thrown
  }
}

/**
 * Peers that say they provide a key, as the answers come: at most 20 in one look, each once.
 * @throws where the signal aborts
 */
export async function* findProviders(node: Libp2pNode, key: Uint8Array, signal: AbortSignal): AsyncGenerator<PeerId> {
  for await (const event of node.services.dht.findProviders(providerKey(key), { signal })) {
    if (event.name !== 'PROVIDER') continue
    for (const { id, multiaddrs } of event.providers) {
      if (id.equals(node.peerId)) continue
      await node.peerStore.merge(id, { multiaddrs })
      yield id
    }
  }
}
