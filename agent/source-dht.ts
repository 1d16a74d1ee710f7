import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BootstrapPeer, parseBootstrapPeer } from '../service/dht/bootstrap-peer.ts'
import type { DhtClient, FoundPeer } from '../service/dht/client.ts'
import { recordKeys } from '../service/dht/keys.ts'
import { loadDht } from '../service/dht/load.ts'
import { hasGivenAddress } from '../service/own-addresses.ts'
import { hostAndPort, hostInUrl } from '../service/url-host.ts'
import type { Candidate, RejectedCandidate } from './candidate.ts'
import type { AgentConfig } from './config.ts'
import { connectProblem } from './connect-problem.ts'
import { judgeDocument, judgeValue } from './judge-dht.ts'
import type { Consider, Source } from './source.ts'

export interface DhtTiming {
  /** What neighbours get to answer by mDNS first, from when there is an address: loading libp2p takes memory and slows a small guest. */
  readonly headStartMs: number
  /** How much more where one has answered: asking it most likely ends the search. */
  readonly answeredMs: number
  /** How long a provider may take to be connected to. */
  readonly connectMs: number
  /** Pause between looks, growing from the first to the last. */
  readonly pauseMs: { readonly first: number; readonly last: number }
}

const HEAD_START = { least: 250, most: 2_500 }
let headStartMs: number | undefined

/** What is to be told of joining, to whoever asks why the DHT named nobody. */
export interface DhtState {
  /** Whether a node has answered. */
  joined: boolean
  /** `host:port` of the nodes of which neighbours tell. */
  readonly neighbours: Set<string>
}

export const dhtState = (): DhtState => ({ joined: false, neighbours: new Set() })

/** Where all are to be found that there are. */
export const DHT_AT_ONCE: DhtTiming = {
  ...{ headStartMs: 0, answeredMs: 0 },
  ...{ connectMs: 2_000, pauseMs: { first: 100, last: 5_000 } },
}

/** Of a machine that boots: where it took long until this program looks for the first time, hearing an answer takes long, too. */
export function dhtTiming(): DhtTiming {
  headStartMs ??= Math.min(Math.max(performance.now() / 4, HEAD_START.least), HEAD_START.most)
  return { ...DHT_AT_ONCE, headStartMs, answeredMs: 3_000 }
}
const ADDRESS_LOOK_MS = 50
const JOINED_LOOK_MS = 20
const VALUES_WAIT_MS = 1_000
/** Anybody can advertise many. */
const MAX_NEIGHBOURS = 16
/** Peers that are asked at once; each takes 3 s at most. */
const PEERS_AT_ONCE = 16

/** The DHT beside what is found on the link: neighbours whose advertisement tells of a DHT node are bootstrap peers, too. */
export function withDht(
  link: Source,
  config: Pick<AgentConfig, 'channel' | 'arch' | 'bootstrap'>,
  addresses: () => ReadonlySet<string>,
  timing: DhtTiming = dhtTiming(),
  state: DhtState = dhtState(),
): readonly Source[] {
  const dht = dhtProviders(config, addresses, timing, state)
  const hear = (found: Candidate | RejectedCandidate) => {
    const { url, reach, dhtPort } = found
    const host = reach ?? (URL.canParse(url) ? hostAndPort(new URL(url)).host : '')
    // No multiaddr of TCP carries the link of a link-local address.
    if (dhtPort !== undefined && isIP(host) !== 0 && !host.includes('%')) dht.neighbour(host, dhtPort)
    if (!('reason' in found)) dht.answered()
  }
  const hearing: Source = (consider, signal) =>
    link((found) => {
      hear(found)
      consider(found)
    }, signal)
  return [hearing, dht.look]
}

export interface DhtSource {
  readonly look: Source
  /** A DHT node on this machine's link, of which mDNS tells (TXT `dht_port`): one more to join by. */
  neighbour(host: string, port: number): void
  /** Somebody on this machine's link can be asked. */
  answered(): void
}

/**
 * Those whom the DHT names. What it says is where to ask, and nothing else: whoever put it there is not known. Peers that are named
 * as providers are asked themselves (`/plasm/provider/1.0.0`), values are tried by connecting; either is a candidate only once it answers.
 */
export function dhtProviders(
  config: Pick<AgentConfig, 'channel' | 'arch' | 'bootstrap'>,
  addresses: () => ReadonlySet<string>,
  timing: DhtTiming = dhtTiming(),
  state: DhtState = dhtState(),
): DhtSource {
  const neighbours = new Map<string, BootstrapPeer>()
  let client: DhtClient | undefined
  let answered = false
  const bootstrap = config.bootstrap.flatMap((text) => parseBootstrapPeer(text) ?? [])

  const look: Source = async (consider, signal) => {
    await headStart(addresses, timing.headStartMs, signal)
    if (answered) await pauseFor(timing.answeredMs, signal)
    if (signal.aborted) return
    const { openDhtClient } = await loadDht()
    if (signal.aborted) return
    client = await openDhtClient([...bootstrap, ...neighbours.values()], signal)
    try {
      await lookAgainAndAgain(client, { config, addresses, timing, state, consider, signal })
    } finally {
      await client.stop()
      client = undefined
    }
  }
  return {
    // Loading cannot be broken off, and stopping takes a moment: nobody waits for either.
    look: (consider, signal) => Promise.race([look(consider, signal).catch(() => {}), whenAborted(signal)]),
    neighbour(host, port) {
      const peer: BootstrapPeer = { kind: 'address', host, port }
      if (neighbours.size < MAX_NEIGHBOURS) {
        neighbours.set(`${host} ${port}`, peer)
        state.neighbours.add(`${hostInUrl(host)}:${port}`)
      }
      client?.join(peer)
    },
    answered() {
      answered = true
    },
  }
}

interface Look {
  readonly config: Pick<AgentConfig, 'channel' | 'arch'>
  readonly addresses: () => ReadonlySet<string>
  readonly timing: DhtTiming
  readonly state: DhtState
  readonly consider: Consider
  readonly signal: AbortSignal
}

async function lookAgainAndAgain(client: DhtClient, look: Look): Promise<void> {
  const { signal, timing, state } = look
  const { first, last } = timing.pauseMs
  for (let pause = first; !signal.aborted; pause = Math.min(pause * 2, last)) {
    while (!client.joined() && !signal.aborted) await pauseFor(JOINED_LOOK_MS, signal)
    if (signal.aborted) return
    state.joined = true
    await lookOnce(client, look)
    await pauseFor(pause, signal)
  }
}

/**
 * Every key, values and providers at the same time: one that is slow holds up no other. A value says nothing but a URL, so the providers
 * get a moment to say more before values count: with the first candidate discovery begins to settle.
 */
async function lookOnce(client: DhtClient, look: Look): Promise<void> {
  const { config, addresses, signal } = look
  const asked = new Set<string>()
  const once = (what: string) => !asked.has(what) && asked.add(what)
  const work: Promise<void>[] = []
  const asks: Promise<void>[] = []
  let asking = 0
  const values = async (key: Uint8Array) => {
    for await (const value of client.values(key)) {
      if (once(Buffer.from(value).toString('latin1')))
        work.push(tryFirst([judgeValue(value, config, addresses())], look, providersAsked))
    }
  }
  const providers = async (key: Uint8Array) => {
    for await (const peer of client.providers(key)) {
      if (!once(peer.peerId) || asking >= PEERS_AT_ONCE) continue
      asking += 1
      asks.push(askPeer(peer, look).finally(() => (asking -= 1)))
    }
  }
  const keys = recordKeys(config.channel, config.arch)
  const everywhere = (find: (key: Uint8Array) => Promise<void>) =>
    Promise.all(keys.map(({ bytes }) => find(bytes).catch(() => {})))
  const searched = everywhere(providers).then(() => Promise.all(asks))
  const providersAsked = Promise.race([searched, pauseFor(VALUES_WAIT_MS, signal)])
  await Promise.race([Promise.all([searched, everywhere(values).then(() => Promise.all(work))]), whenAborted(signal)])
}

async function askPeer(peer: FoundPeer, look: Look): Promise<void> {
  const { peerId, addresses } = peer
  const at = `${addresses[0] ?? ''}/p2p/${peerId}`
  try {
    await tryFirst(judgeDocument(await peer.ask(), { peerId, at }, look.config, look.addresses()), look)
  } catch (thrown) {
    if (look.signal.aborted) return
    const reason = (thrown as Error).message
    look.consider({ url: at, source: 'dht', name: null, generation: null, peerId, reason })
  }
}

/**
 * The first place that can be connected to is a candidate; those before it are told as rejected.
 * @param after what to wait for before it counts
 */
async function tryFirst(
  places: ReadonlyArray<Candidate | RejectedCandidate>,
  { consider, timing, signal }: Look,
  after?: Promise<unknown>,
): Promise<void> {
  for (const place of places) {
    const problem = 'reason' in place ? place.reason : await connectProblem(place.url, timing.connectMs, signal)
    await after
    if (signal.aborted) return
    if ('reason' in place) consider(place)
    else consider(problem === undefined ? place : { ...place, reason: problem, withdrawn: true })
    if (problem === undefined) return
  }
}

async function headStart(
  addresses: () => ReadonlySet<string>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<void> {
  while (!hasGivenAddress(addresses()) && !signal.aborted) await pauseFor(ADDRESS_LOOK_MS, signal)
  await pauseFor(milliseconds, signal)
}

const pauseFor = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  sleep(milliseconds, undefined, { signal }).catch(() => {})

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
