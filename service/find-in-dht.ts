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
/** Of the search itself; a peer gets 3 s to answer. */
const SEARCH_MS = 8_000
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
    const found = new Map<string, FoundProvider>()
    const ended = sleep(SEARCH_MS, undefined, { signal: stop.signal }).catch(() => {})
    await Promise.race([search(client, place, found), ended])
    return { found: [...found.values()].sort((a, b) => a.url.localeCompare(b.url)) }
  } finally {
    stop.abort()
    await client.stop()
  }
}

/** Every key. What peers say of themselves is put before values, which say no more than where to ask. */
async function search(client: DhtClient, place: DhtPlace, found: Map<string, FoundProvider>): Promise<void> {
  const keys = recordKeys(place.channel, place.arch).map(({ bytes }) => bytes)
  const take = (provider: FoundProvider) => {
    if (found.size < MAX_FOUND && !found.has(provider.url)) found.set(provider.url, provider)
  }
  const asked = new Set<string>()
  const asks: Promise<void>[] = []
  const values: Uint8Array[] = []
  const everywhere = (find: (key: Uint8Array) => Promise<void>) =>
    Promise.all(keys.map((key) => find(key).catch(() => {})))
  await Promise.all([
    everywhere(async (key) => {
      for await (const peer of client.providers(key)) {
        if (asked.has(peer.peerId) || asked.size >= MAX_FOUND) continue
        asked.add(peer.peerId)
        asks.push(ask(peer, place).then(take))
      }
    }),
    everywhere(async (key) => {
      for await (const value of client.values(key)) if (values.length < MAX_FOUND) values.push(value)
    }),
  ])
  await Promise.all(asks)
  for (const value of values) take(valueAt(value, place))
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
