import { createHash } from 'node:crypto'
import type { KadDHT } from '@libp2p/kad-dht'
import { CID } from 'multiformats/cid'
import { code as RAW } from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import { isOurKey } from './keys.ts'

/** Multicodec of sha2-256. */
const SHA2_256 = 0x12

/**
 * Provider records of a key that is no multihash. The wire's field is bytes (libp2p specs, kad-dht), and rust-libp2p's
 * `start_providing(RecordKey::new("/phase/…"))` puts the key's own bytes there. js-libp2p's `provide(CID)` puts the CID's
 * multihash there, `0x12 0x20` and the sha2-256 digest, and its handlers refuse what is not a CID. So that either side finds the
 * other one's records:
 *
 * - what we ask for and announce is this: a CID only as far as kad-dht looks, whose multihash bytes are the key;
 * - what others ask of us and announce to us by such a key is taken ({@link acceptProviderKeys}).
 */
export function providerKey(key: Uint8Array): CID {
  return { multihash: { bytes: key }, toString: () => Buffer.from(key).toString('utf8') } as unknown as CID
}

/** The real CID under which a node here keeps the provider records of a key. */
function storedAs(key: Uint8Array): CID {
  return CID.createV1(RAW, createDigest(SHA2_256, createHash('sha256').update(key).digest()))
}

interface Message {
  readonly key?: Uint8Array
  readonly closer?: ReadonlyArray<{ readonly id: Uint8Array; readonly multiaddrs: readonly Uint8Array[] }>
}

/** The parts of kad-dht 16.4 that this reaches into; package.json pins the version. */
interface Internals {
  readonly providers: Record<
    'addProvider' | 'removeProvider' | 'getProviders',
    (key: CID, ...more: unknown[]) => unknown
  >
  readonly rpc: {
    readonly handlers: Record<string, { handle(peer: unknown, message: Message): Promise<Message | undefined> }>
  }
  readonly peerRouting: {
    getClosestPeersOffline(key: Uint8Array): Promise<
      ReadonlyArray<{
        readonly id: { toMultihash(): { readonly bytes: Uint8Array } }
        readonly multiaddrs: ReadonlyArray<{ readonly bytes: Uint8Array }>
      }>
    >
  }
}

/** Makes a DHT node keep and answer provider records of keys that are no multihash. */
export function acceptProviderKeys(dht: KadDHT): void {
  const { providers, rpc, peerRouting } = dht as unknown as Internals
  for (const name of ['addProvider', 'removeProvider', 'getProviders'] as const) {
    const method = providers[name].bind(providers)
    providers[name] = (key, ...more) => {
      const { bytes } = key.multihash
      return method(isOurKey(bytes) ? storedAs(bytes) : key, ...more)
    }
  }
  for (const type of ['ADD_PROVIDER', 'GET_PROVIDERS']) {
    const handler = rpc.handlers[type]!
    const handle = handler.handle.bind(handler)
    handler.handle = async (peer, message) => {
      const { key } = message
      if (key === undefined || !isOurKey(key)) return handle(peer, message)
      const answer = await handle(peer, { ...message, key: storedAs(key).multihash.bytes })
      // How near a peer is goes by the key as it was asked for.
      return answer && { ...answer, key, closer: await closer(key) }
    }
  }

  async function closer(key: Uint8Array): Promise<NonNullable<Message['closer']>> {
    const peers = await peerRouting.getClosestPeersOffline(key)
    return peers
      .filter(({ multiaddrs }) => multiaddrs.length > 0)
      .map(({ id, multiaddrs }) => ({ id: id.toMultihash().bytes, multiaddrs: multiaddrs.map(({ bytes }) => bytes) }))
  }
}
