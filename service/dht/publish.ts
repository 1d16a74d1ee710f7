import { setTimeout as sleep } from 'node:timers/promises'
import { Key } from 'interface-datastore'
import { base32 } from 'multiformats/bases/base32'
import { parseRecordKey } from './keys.ts'
import type { Libp2pNode } from './libp2p-node.ts'
import { providerKey } from './provider-keys.ts'
import { makeValueRecord, RECORD_TTL_SECONDS } from './value-record.ts'

/** Half of what a record lives (INTEROP: discovery): one refresh may fail. */
const REFRESH_MS = (RECORD_TTL_SECONDS * 1000) / 2
const LOOK_EVERY_MS = 5_000
const PUT_WITHIN_MS = 20_000
/** Kademlia's k: a key is put to so many peers, so one that comes where there are fewer lacks our records. */
const REPLICAS = 20
const SETTLE_MS = 500

export interface PublishTiming {
  readonly refreshMs: number
  readonly lookMs: number
}

export const PUBLISH_TIMING: PublishTiming = { refreshMs: REFRESH_MS, lookMs: LOOK_EVERY_MS }

/** A record that is to be found: its key, and the base URL of the provider. */
export interface Wanted {
  readonly key: Uint8Array
  readonly url: string
}

interface Published {
  readonly wanted: Wanted
  readonly value: Buffer
  readonly at: number
  /** How many peers keep it. */
  readonly peers: number
}

/**
 * Keeps records in the DHT, each as a value and as a provider record, until aborted: put when they are first wanted, when their URL
 * changes, every half life, and again when peers come that lack them. What is no longer wanted is not put again, and this node
 * stops giving it out; other nodes forget it within its life time (Kademlia knows no withdrawal), and whom it leads here is told
 * that there is nothing (provider-protocol.ts).
 * @param onPublished told of each put
 */
export async function keepPublished(
  node: Libp2pNode,
  wanted: () => Promise<readonly Wanted[]>,
  signal: AbortSignal,
  onPublished: (put: { readonly key: string; readonly url: string; readonly peers: number }) => void = () => {},
  { refreshMs, lookMs }: PublishTiming = PUBLISH_TIMING,
): Promise<void> {
  const published = new Map<string, Published>()
  let newPeers = false
  let wake = () => {}
  const onPeer = () => {
    newPeers = true
    wake()
  }
  const table = node.services.dht.routingTable as unknown as EventTarget
  table.addEventListener('peer:add', onPeer)

  const isDue = ({ url }: Wanted, before: Published | undefined): boolean =>
    before === undefined ||
    before.wanted.url !== url ||
    before.peers === 0 ||
    (newPeers && before.peers < REPLICAS) ||
    performance.now() - before.at >= refreshMs

  try {
    while (!signal.aborted) {
      const now = new Map((await wanted().catch(() => [])).map((one) => [Buffer.from(one.key).toString(), one]))
      for (const [name, before] of published) {
        if (now.has(name)) continue
        published.delete(name)
        await withdraw(node, before)
      }
      const due = [...now].filter(([name, one]) => isDue(one, published.get(name)))
      newPeers = false
      for (const [name, one] of due) {
        if (signal.aborted) break
        const put = await publish(node, one, signal)
        published.set(name, put)
        onPublished({ key: name, url: one.url, peers: put.peers })
      }
      const peersCame = new Promise<void>((resolve) => {
        wake = resolve
        if (newPeers) resolve()
      })
      await Promise.race([peersCame, sleep(lookMs, undefined, { signal, ref: false }).catch(() => {})])
      // Peers that come together are served together.
      if (newPeers) await sleep(Math.min(SETTLE_MS, lookMs), undefined, { signal }).catch(() => {})
    }
  } finally {
    table.removeEventListener('peer:add', onPeer)
    for (const before of published.values()) await withdraw(node, before)
  }
}

async function publish(node: Libp2pNode, wanted: Wanted, stop: AbortSignal): Promise<Published> {
  const { key, url } = wanted
  const { channel, archName } = parseRecordKey(key)!
  const value = makeValueRecord({ channel, archName, url })
  const signal = AbortSignal.any([stop, AbortSignal.timeout(PUT_WITHIN_MS)])
  const at = performance.now()
  let peers = 0
  const { dht } = node.services
  try {
    // What a peer refuses shows as an event of the query alone, and one that took it as its response.
    for await (const event of dht.put(key, value, { signal })) {
      if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') peers += 1
    }
    for await (const _ of dht.provide(providerKey(key), { signal }));
  } catch {
    // Nobody answered in time, or the node stops: the next look tries again.
    peers = 0
  }
  return { wanted, value, at, peers }
}

/** kad-dht has no way to take back a value of one's own: it lies where kad-dht 16.4 looks for it. */
async function withdraw(node: Libp2pNode, { wanted: { key }, value }: Published): Promise<void> {
  await Promise.resolve(node.services.dht.cancelReprovide(providerKey(key))).catch(() => {})
  const name = new Key(`/dht/record/${base32.baseEncode(key)}`)
  const stored = await Promise.resolve()
    .then(() => node.records.get(name))
    .catch(() => undefined)
  // Another provider's value may have taken its place.
  if (stored && Buffer.from(stored).includes(value)) await node.records.delete(name)
}
