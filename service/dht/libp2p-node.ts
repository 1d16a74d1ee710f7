import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { type KadDHTComponents, kadDHT, passthroughMapper, type SingleKadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { rawPublicKey } from '../ed25519.ts'
import type { NodeKey } from '../node-key.ts'
import { boundedDatastore } from './bounded-datastore.ts'
import { KEY_NAMESPACE, parseRecordKey } from './keys.ts'
import { pingOrConnect } from './liveness.ts'
import { acceptProviderKeys } from './provider-keys.ts'
import { RECORD_TTL_SECONDS, VALUE_MAX_BYTES } from './value-record.ts'

/** INTEROP: discovery. */
const PROTOCOL = '/ipfs/kad/1.0.0'
const RECORD_TTL_MS = RECORD_TTL_SECONDS * 1000
const CLEAN_UP_EVERY_MS = 900_000
/** A guest has 512 MiB: at most so many connections, with windows that do not grow (4 MiB together when all of them are used). */
const MAX_CONNECTIONS = { server: 64, client: 32 }
const WINDOW_BYTES = 256 * 1024
const MAX_MESSAGE_BYTES = 64 * 1024
const DIAL_WITHIN_MS = 3_000
/** Kademlia's alpha: how many peers one query asks at once. */
const ALPHA = 3

/** Where a node is listened for. */
export interface DhtListen {
  /** An address of this machine; 0.0.0.0 for all IPv4 ones, :: for all, which takes a port that is not 0. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
}

export type Libp2pNode = Awaited<ReturnType<typeof startLibp2p>>

/**
 * A libp2p node as INTEROP asks for it: TCP, Noise, Yamux, identify, ping (kad-dht takes a peer into its routing table only after both) and
 * Kademlia; it answers queries where it listens, and only asks where it does not.
 * @throws what libp2p throws where it cannot listen
 */
export async function startLibp2p(key: NodeKey, listen: DhtListen | null) {
  const server = listen !== null
  const records = boundedDatastore()
  const node = await createLibp2p({
    start: false,
    privateKey: privateKeyFromRaw(bothHalves(key)),
    datastore: records,
    addresses: {
      listen: server ? listenAddresses(listen) : [],
      announceFilter: withoutLoopback,
    },
    transports: [tcp({ maxConnections: MAX_CONNECTIONS.server })],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({ streamOptions: { initialStreamWindowSize: WINDOW_BYTES, maxStreamWindowSize: WINDOW_BYTES } }),
    ],
    connectionManager: {
      maxConnections: server ? MAX_CONNECTIONS.server : MAX_CONNECTIONS.client,
      maxParallelDials: 16,
      maxDialQueueLength: 128,
      maxPeerAddrsToDial: 8,
      dialTimeout: DIAL_WITHIN_MS,
      addressDialTimeout: DIAL_WITHIN_MS,
      // Machines behind one address (NAT), or all on loopback, may come at once.
      inboundConnectionThreshold: 32,
      maxIncomingPendingConnections: 32,
    },
    services: {
      identify: identify({ maxMessageSize: MAX_MESSAGE_BYTES }),
      ping: pingOrConnect(),
      dht: kadDHT({
        protocol: PROTOCOL,
        // Servers know that they can be dialled, in their own network at least; left alone, libp2p waits for a public address.
        clientMode: !server,
        // By default kad-dht leaves out private addresses, and here it is a LAN as often as not.
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
        initialQuerySelfInterval: 100,
        alpha: ALPHA,
        disjointPaths: ALPHA,
        reprovide: { validity: RECORD_TTL_MS, threshold: 0, interval: CLEAN_UP_EVERY_MS },
        // A client stores nothing, and tells what is wrong with a value itself.
        validators: { [KEY_NAMESPACE]: server ? validate : () => {} },
        selectors: { [KEY_NAMESPACE]: noneIsBest },
        // It is one, whatever its type says.
      }) as (components: KadDHTComponents) => SingleKadDHT,
    },
  })
  acceptProviderKeys(node.services.dht)
  try {
    await node.start()
  } catch (thrown) {
    await node.stop()
    throw thrown
  }
  return Object.assign(node, {
    /** What this node stores, its own records among them. */
    records,
  })
}

/** libp2p listens for IPv6 alone where it is told `::`, which means both here, as it does for HTTP. */
function listenAddresses({ host, port }: DhtListen): string[] {
  const hosts = host === '::' ? ['0.0.0.0', '::'] : [host]
  return hosts.map((one) => `/ip${one.includes(':') ? 6 : 4}/${one}/tcp/${port}`)
}

/** As libp2p takes them. From the seed alone it would compute the public one in JavaScript, which takes a slow guest a second. */
function bothHalves({ seed, privateKey }: NodeKey): Buffer {
  return Buffer.concat([seed, rawPublicKey(privateKey)!])
}

/** What a node stores for others: values of a size that a record has. Whether they are true is for those who ask to find out. */
function validate(key: Uint8Array, value: Uint8Array): void {
  if (!parseRecordKey(key)) throw new Error('is no key of a manifest record')
  if (value.length === 0 || value.length > VALUE_MAX_BYTES) throw new Error(`has ${value.length} bytes`)
}

/**
 * Records of several providers under one key are all as good. kad-dht would send the one it is told is best to all who gave another one;
 * a selector that fails ends its query before that, when every answer has been seen (values.ts).
 */
function noneIsBest(): never {
  throw new Error(SEVERAL_VALUES)
}
export const SEVERAL_VALUES = 'several providers have put values'

/** Others would look for us on their own loopback. A node that listens on nothing else says so: tests do, and single hosts. */
function withoutLoopback<T extends { toString(): string }>(addresses: T[]): T[] {
  const outside = addresses.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address.toString()))
  return outside.length > 0 ? outside : addresses
}
