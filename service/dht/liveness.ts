import type { PeerId, PeerStore } from '@libp2p/interface'
import { type Ping, type PingComponents, ping } from '@libp2p/ping'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'

interface Components extends PingComponents {
  readonly peerStore: PeerStore
}

/**
 * The ping that kad-dht wants of a peer before it takes it into its routing table. A rust-libp2p node answers it only where its
 * program has added that behaviour (INTEROP does not ask for it): one without is there when it can be connected to.
 */
export function pingOrConnect(): (components: Components) => Ping {
  return (components) => {
    const service = ping()(components)
    const answer = service.ping.bind(service)
    service.ping = async (peer, options) => {
      // kad-dht gives nothing else.
      if (!(await isWithoutPing(components.peerStore, peer as PeerId))) return answer(peer, options)
      const since = performance.now()
      await components.connectionManager.openConnection(peer, options)
      return Math.round(performance.now() - since)
    }
    return service
  }
}

/** As far as it has said what it speaks (libp2p specs, identify). */
async function isWithoutPing(peers: PeerStore, peer: PeerId): Promise<boolean> {
  const protocols: readonly string[] = await peers.get(peer).then(
    ({ protocols }) => protocols,
    (): readonly string[] => [],
  )
  return protocols.length > 0 && !protocols.includes(PING_PROTOCOL)
}
