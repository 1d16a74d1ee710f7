import type { KadDHT } from '@libp2p/kad-dht'
import { Libp2pRecord } from '@libp2p/record'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { hostArch } from '../../service/arch.ts'
import { DHT_PORT, parseBootstrapPeer } from '../../service/dht/bootstrap-peer.ts'
import { recordKey } from '../../service/dht/keys.ts'
import { createDhtNode, type DhtNode } from '../../service/dht/node.ts'
import { providerKey } from '../../service/dht/provider-keys.ts'
import { PROVIDER_PROTOCOL } from '../../service/dht/provider-protocol.ts'
import { readStream } from '../../service/dht/read-stream.ts'
import { makeNodeKey } from '../../service/node-key.ts'

/** A node of the DHT that means no good. */
export interface DhtLiar {
  /** It is that first node itself, whom everybody else joins by. */
  readonly first?: true
  /** Given to whoever asks for a value, latin1. */
  readonly value?: string
  /**
   * Says that it is a provider, and then: is gone; was never there, at an address where nobody answers; takes the question and never
   * answers; does not know the protocol; or answers this, latin1.
   */
  readonly provider?: 'dead' | 'nowhere' | 'silent' | 'mute' | { readonly answers: string }
}

/** What kad-dht keeps to itself. */
interface Internals {
  readonly rpc: { readonly handlers: Record<string, { handle(peer: unknown, message: unknown): Promise<unknown> }> }
  readonly contentRouting: { provide(key: unknown, addresses: readonly Multiaddr[]): AsyncIterable<unknown> }
}

const BOOTSTRAP = parseBootstrapPeer('10.77.0.1:4001')!
const NOWHERE = multiaddr('/ip4/10.77.0.99/tcp/4001')
const key = recordKey('stable', hostArch())
const { signal } = new AbortController()

/** Joins the DHT whose first node is 10.77.0.1:4001, and lies. */
export async function lie({ value, provider, first }: DhtLiar): Promise<void> {
  const node = await createDhtNode({
    key: makeNodeKey(),
    listen: { host: '10.77.0.1', port: first ? DHT_PORT : 0 },
    bootstrap: first ? [] : [BOOTSTRAP],
    signal,
  })
  const { dht } = node.libp2p.services
  if (value !== undefined) giveOut(dht, Buffer.from(value, 'latin1'))
  if (typeof provider === 'object') {
    await node.libp2p.handle(PROVIDER_PROTOCOL, async (stream) => {
      await readStream(stream, 1024, AbortSignal.timeout(5_000))
      stream.send(Buffer.from(provider.answers, 'latin1'))
      await stream.close()
    })
  }
  if (provider === 'silent') await node.libp2p.handle(PROVIDER_PROTOCOL, () => {})
  while (!first && dht.routingTable.size === 0) await new Promise((resolve) => setTimeout(resolve, 50))
  if (provider !== undefined) await provide(node, provider)
}

function giveOut(dht: KadDHT, value: Uint8Array): void {
  const record = new Libp2pRecord(key, value, new Date()).serialize()
  const { handlers } = (dht as unknown as Internals).rpc
  handlers.GET_VALUE!.handle = async () => ({ type: 'GET_VALUE', key, record, closer: [], providers: [] })
}

async function provide(node: DhtNode, how: NonNullable<DhtLiar['provider']>): Promise<void> {
  const { dht } = node.libp2p.services
  const addresses = how === 'nowhere' ? [NOWHERE] : node.libp2p.getMultiaddrs()
  for await (const _ of (dht as unknown as Internals).contentRouting.provide(providerKey(key), addresses));
  if (how === 'dead' || how === 'nowhere') await node.stop()
}
