import type { NodeKey } from '../node-key.ts'
import type { BootstrapPeer } from './bootstrap-peer.ts'
import { type Joining, keepJoined } from './join.ts'
import { type DhtListen, type Libp2pNode, startLibp2p } from './libp2p-node.ts'

export interface DhtNodeOptions {
  readonly key: NodeKey
  /** A server where it listens; null: a client, which only asks. */
  readonly listen: DhtListen | null
  /** None is all right for the first node of all, and for one that is told of neighbours. */
  readonly bootstrap: readonly BootstrapPeer[]
  /** Ends joining; the node itself is to be stopped. */
  readonly signal: AbortSignal
}

export interface DhtNode extends Joining {
  readonly libp2p: Libp2pNode
  /** TCP port that it listens on, or null. */
  readonly port: number | null
  stop(): Promise<void>
}

/** A node of the DHT that joins by its bootstrap peers, however long they are out of reach. @throws what libp2p throws where it cannot listen */
export async function createDhtNode({ key, listen, bootstrap, signal }: DhtNodeOptions): Promise<DhtNode> {
  const stopped = new AbortController()
  const libp2p = await startLibp2p(key, listen)
  const joining = keepJoined(libp2p, bootstrap, AbortSignal.any([signal, stopped.signal]))
  const port = /\/tcp\/(\d+)/.exec(libp2p.getMultiaddrs()[0]?.toString() ?? '')?.[1]
  return {
    libp2p,
    add: joining.add,
    port: port === undefined ? null : Number(port),
    async stop() {
      stopped.abort()
      await libp2p.stop()
    },
  }
}
