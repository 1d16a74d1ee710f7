import { setTimeout as sleep } from 'node:timers/promises'
import { urlProblem } from './address-problem.ts'
import { type Arch, canonicalArch } from './arch.ts'
import { parseBootstrapPeer } from './dht/bootstrap-peer.ts'
import type { DhtClient, FoundPeer } from './dht/client.ts'
import { recordKeys } from './dht/keys.ts'
import { loadDht } from './dht/load.ts'
import { readValueRecord } from './dht/value-record.ts'
import type { FoundProvider } from './found-provider.ts'
import { hostAndPort } from './url-host.ts'

/** What is looked for, and by whom. */
export interface DhtPlace {
  /** As people write them (bootstrap-peer.ts). */
  readonly bootstrap: readonly string[]
  readonly channel: string
  readonly arch: Arch
}

/** Long enough to join by a node that answers. */
const JOIN_WITHIN_MS = 5_000
const JOINED_LOOK_MS = 50
/** Who has just begun is found only once its record is there, so it is looked for more than once. */
const LOOK_FOR_MS = 4_000
const PAUSE_MS = 500
/** Of all of it; a peer gets 3 s to answer. */
const SEARCH_MS = 10_000
/** Anybody can put more. */
const MAX_FOUND = 64
const NOTHING_SAID = { generation: null, sequence: null, version: null, load: null, set: null, peerId: null }

/** Who looks from outside may be on the provider's own machine. */
const NOBODY: ReadonlySet<string> = new Set()

/** Whom the DHT names as providers of a channel and arch, in the order of their URLs, with what they say when they are asked. */
export async function findInDht(
  place: DhtPlace,
): Promise<{ readonly found: readonly FoundProvider[]; readonly notJoined?: string }> {
  const { openDhtClient } = await loadDht()
  const stop = new AbortController()
  const peers = place.bootstrap.flatMap((text) => parseBootstrapPeer(text) ?? [])
  const client = await openDhtClient(peers, stop.signal)
  try {
    const joinBy = performance.now() + JOIN_WITHIN_MS
    while (!client.joined() && performance.now() < joinBy) await sleep(JOINED_LOOK_MS)
    if (!client.joined()) {
      const notJoined = `the DHT could not be joined: no node answers at ${place.bootstrap.join(', ')} within ${JOIN_WITHIN_MS / 1000} s; see that one runs there, and that its TCP port can be reached`
      return { found: [], notJoined }
    }
    const found: Found = { peers: new Map(), values: new Map() }
    const ended = sleep(SEARCH_MS, undefined, { signal: stop.signal }).catch(() => {})
    await Promise.race([searchAgain(client, place, found), ended])
    return { found: all(found) }
  } finally {
    stop.abort()
    await client.stop()
  }
}

/** By peer id, and by what was said. */
interface Found {
  readonly peers: Map<string, FoundProvider>
  readonly values: Map<string, FoundProvider>
}

/** A value says no more than where to ask: a peer that is there says more. */
function all({ peers, values }: Found): readonly FoundProvider[] {
  const urls = new Set([...peers.values()].map(({ url }) => url))
  const others = [...values.values()].filter(({ url }) => !urls.has(url))
  return [...peers.values(), ...others].sort((a, b) => a.url.localeCompare(b.url))
}

async function searchAgain(client: DhtClient, place: DhtPlace, found: Found): Promise<void> {
  for (const end = performance.now() + LOOK_FOR_MS; performance.now() < end; await sleep(PAUSE_MS)) {
    await search(client, place, found)
  }
}

/** Every key once. Who has answered is not asked again. */
async function search(client: DhtClient, place: DhtPlace, { peers, values }: Found): Promise<void> {
  const keys = recordKeys(place.channel, place.arch).map(({ bytes }) => bytes)
  const asked = new Set<string>()
  const asks: Promise<unknown>[] = []
  const everywhere = (find: (key: Uint8Array) => Promise<void>) =>
    Promise.all(keys.map((key) => find(key).catch(() => {})))
  await Promise.all([
    everywhere(async (key) => {
      for await (const peer of client.providers(key)) {
        const known = peers.get(peer.peerId)
        if (asked.has(peer.peerId) || (known && !known.problem) || (!known && peers.size >= MAX_FOUND)) continue
        asked.add(peer.peerId)
        asks.push(ask(peer, place).then((provider) => peers.set(peer.peerId, provider)))
      }
    }),
    everywhere(async (key) => {
      for await (const value of client.values(key)) {
        const provider = valueAt(value, place)
        if (values.size < MAX_FOUND) values.set(provider.url, provider)
      }
    }),
  ])
  await Promise.all(asks)
}

async function ask(peer: FoundPeer, place: DhtPlace): Promise<FoundProvider> {
  const { peerId, addresses } = peer
  const nowhere = (problem: string): FoundProvider => ({
    ...{ url: `${addresses[0] ?? ''}/p2p/${peerId}`, source: 'dht', name: null, channel: null, arch: null },
    claims: { ...NOTHING_SAID, peerId },
    problem,
  })
  try {
    const { document, host } = await peer.ask()
    const { machine, channel, arch, generation, sequence, version, load, set } = document
    if (channel !== place.channel || canonicalArch(arch) !== place.arch) return nowhere(`it serves ${channel}/${arch}`)
    const urls = document.urls.flatMap((url) => {
      const read = readValueRecord(Buffer.from(url), place)
      return 'url' in read ? [read.url] : []
    })
    // The address at which it was asked first: that one certainly reaches it.
    const url = urls.find((url) => hostAndPort(new URL(url)).host === host) ?? urls[0]
    const problem = url === undefined ? 'it names no place where it serves' : urlProblem(url, NOBODY)
    if (url === undefined || problem !== undefined) return nowhere(problem!)
    return {
      ...{ url, source: 'dht', name: machine ?? null, channel, arch },
      claims: {
        generation: generation ?? null,
        sequence: sequence ?? null,
        version: version ?? null,
        load: load ?? null,
        set: set ?? null,
        peerId,
      },
    }
  } catch (thrown) {
    return nowhere((thrown as Error).message)
  }
}

function valueAt(value: Uint8Array, place: DhtPlace): FoundProvider {
  const read = readValueRecord(value, place)
  const { channel, arch } = place
  const record = { source: 'dht', name: null, channel, arch, claims: NOTHING_SAID } as const
  if (!('url' in read)) return { ...record, url: read.said, problem: read.problem }
  const problem = urlProblem(read.url, NOBODY)
  return { ...record, url: read.url, ...(problem === undefined ? {} : { problem }) }
}
