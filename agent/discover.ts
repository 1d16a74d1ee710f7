import { setTimeout as sleep } from 'node:timers/promises'
import { PlasmError } from '../service/errors.ts'
import { type BrowseCounts, noCounts } from '../service/mdns-browse.ts'
import { hasGivenAddress, ownAddresses } from '../service/own-addresses.ts'
import { type Candidate, type RejectedCandidate, settledAt } from './candidate.ts'
import { type CandidateTable, createCandidateTable } from './candidate-table.ts'
import type { AgentConfig } from './config.ts'
import type { Consider, Source } from './source.ts'
import { DHT_AT_ONCE, type DhtState, type DhtTiming, dhtState, dhtTiming, withDht } from './source-dht.ts'
import { knownProvider } from './source-known.ts'
import { linkProviders } from './source-mdns.ts'
import { namedProvider } from './source-static.ts'

export interface DiscoverOptions {
  /** How long to look for the first candidate. */
  readonly deadlineMs: number
  /** How much longer where the DHT is asked: an emulated machine takes seconds to load libp2p and to join. */
  readonly dhtMs?: number
  /** Where the DHT is asked, wait for all that it knows, whoever has answered on the link. */
  readonly thorough?: boolean
  /** How long to look for others where nobody is found but those whom the caller knows, and the DHT is asked. */
  readonly beyondMs?: number
  /** The same where it is not: a neighbour that answers at once must not keep this machine from one that takes a second. */
  readonly othersMs?: number
  /** The addresses whose links are browsed. */
  readonly addresses: () => ReadonlySet<string>
}

export const DISCOVERY: DiscoverOptions = {
  ...{ deadlineMs: 10_000, dhtMs: 20_000, beyondMs: 15_000, othersMs: 3_000 },
  addresses: ownAddresses,
}
const TICK_MS = 25

/** What says where to look. */
export type Where = Pick<AgentConfig, 'providers' | 'bootstrap' | 'channel' | 'arch' | 'mode' | 'storeRoot'>

/** What asks beyond the link is in use in that mode alone (INTEROP: kernel command line). */
export const asksDht = ({ mode }: Pick<Where, 'mode'>) => mode === 'internet'

/** Milliseconds for which the search goes on where nobody is found but those whom the caller knows; 0: it does not. */
export const othersWithin = (where: Pick<Where, 'mode'>, { beyondMs = 0, othersMs = 0 }: DiscoverOptions): number =>
  asksDht(where) ? beyondMs : othersMs

/** Every way of looking that this machine's mode allows. */
export function sourcesOf(
  where: Where,
  { addresses, counts, dht }: Pick<DiscoverOptions, 'addresses'> & { readonly counts?: BrowseCounts; dht?: DhtState },
  timing: DhtTiming,
): readonly Source[] {
  const link = linkProviders(where, addresses, counts)
  const near = asksDht(where) ? withDht(link, where, addresses, timing, dht) : [link]
  return [...near, ...where.providers.map(namedProvider), knownProvider(where)]
}

/**
 * Looks for providers in every way at once. The first answer starts a short settling time, so that a booted machine that
 * answers a moment later is known before the origin is taken.
 * @param onFound told of every candidate, and of every rejection with its reason, as they come
 * @param known URLs of providers that were no good: their answers alone do not end the search
 * @returns at least one candidate
 * @throws PlasmError `no-provider` (facts: `deadlineMs`, `rejected`, `ownAddresses`, and where the DHT is asked `dhtJoined`)
 */
export async function discover(
  where: Where,
  onFound: Consider,
  options: DiscoverOptions = DISCOVERY,
  known: ReadonlySet<string> = new Set(),
): Promise<readonly Candidate[]> {
  const { addresses, dhtMs = 0, thorough = false } = options
  const deadlineMs = options.deadlineMs + (asksDht(where) ? dhtMs : 0)
  const startedAt = performance.now()
  const deadline = startedAt + deadlineMs
  const othersEnd = startedAt + othersWithin(where, options)
  const isNew = ({ url }: { url: string }) => !known.has(url)
  const table = createCandidateTable(onFound)
  const stop = new AbortController()
  const timing = thorough || known.size > 0 ? DHT_AT_ONCE : dhtTiming()
  const dht = dhtState()
  const searches = sourcesOf(where, { addresses, dht }, timing).map((look) => look(table.consider, stop.signal))
  try {
    for (;;) {
      const now = performance.now()
      const found = table.arrivals()
      const settled = settledAt(found.filter(isNew)) ?? (found.length > 0 ? othersEnd : undefined)
      const enough = thorough && asksDht(where) ? deadline : settled
      // One that moves about is found anew each time: the deadline counts all the same.
      if (settled !== undefined && (now >= enough! || now >= Math.max(deadline, othersEnd))) {
        tellSilent(where, table)
        return table.candidates()
      }
      if (settled === undefined && now >= deadline)
        throw noProvider(where, deadlineMs, table.rejections(), addresses(), dht)
      await sleep(TICK_MS)
    }
  } finally {
    stop.abort()
    await Promise.all(searches)
  }
}

/** All that is found in so long, whoever comes first. */
export async function lookAround(
  where: Where,
  onFound: (found: Candidate | RejectedCandidate) => void,
  milliseconds: number,
  addresses: DiscoverOptions['addresses'] = ownAddresses,
  counts: BrowseCounts = noCounts(),
  dht: DhtState = dhtState(),
): Promise<CandidateTable> {
  const table = createCandidateTable(onFound)
  const stop = AbortSignal.timeout(milliseconds)
  await Promise.all(sourcesOf(where, { addresses, counts, dht }, DHT_AT_ONCE).map((look) => look(table.consider, stop)))
  tellSilent(where, table)
  return table
}

/** Somebody has named them, and should not have to wonder. */
function tellSilent({ providers }: Where, table: CandidateTable): void {
  const found = new Set(table.candidates().map(({ url }) => url))
  for (const url of providers.filter((url) => !found.has(url))) {
    table.consider({ url, source: 'static', name: null, generation: null, reason: 'nothing has answered there' })
  }
}

function noProvider(
  where: Where,
  deadlineMs: number,
  rejected: ReadonlyMap<string, string>,
  own: ReadonlySet<string>,
  dht: DhtState,
): PlasmError {
  const { providers, channel, arch } = where
  const silent = providers.map((url) => `${url}: does not answer`)
  const reasons = [...silent, ...[...rejected].map(([url, reason]) => `${url}: ${reason}`)]
  const nowhere = asksDht(where) ? `; ${inDht(where, dht)}` : ''
  return new PlasmError('no-provider', `no provider for ${channel}/${arch} within ${deadlineMs / 1000} s${nowhere}`, {
    facts: {
      ...{ deadlineMs, rejected: reasons, ownAddresses: [...own] },
      ...(asksDht(where) ? { dhtJoined: dht.joined } : {}),
    },
    hint: !hasGivenAddress(own)
      ? 'nobody has given this machine an address: check DHCP'
      : 'start a provider on this link, let UDP 5353 multicast pass, or name one with phase.provider=http://host:8080',
  })
}

function inDht({ bootstrap }: Where, { joined, neighbours }: DhtState): string {
  if (joined) return 'the DHT names none'
  const nodes = [...new Set([...bootstrap, ...neighbours])]
  return nodes.length === 0
    ? 'nobody is known to join the DHT by (phase.bootstrap=host:4001)'
    : `no node of the DHT answers at ${nodes.join(', ')}`
}
