import { setTimeout as sleep } from 'node:timers/promises'
import { PlasmError } from '../service/errors.ts'
import { hasGivenAddress, ownAddresses } from '../service/own-addresses.ts'
import { type Candidate, type RejectedCandidate, settledAt } from './candidate.ts'
import type { AgentConfig } from './config.ts'
import type { Source } from './source.ts'
import { linkProviders } from './source-mdns.ts'
import { namedProvider } from './source-static.ts'

export interface DiscoverOptions {
  /** How long to look for the first candidate. */
  readonly deadlineMs: number
  /** The addresses whose links are browsed. */
  readonly addresses: () => ReadonlySet<string>
}

export const DISCOVERY: DiscoverOptions = { deadlineMs: 10_000, addresses: ownAddresses }
const TICK_MS = 25

/**
 * Looks for providers in every way at once: `phase.provider=` and mDNS. The first answer starts a short settling time, so
 * that a booted machine that answers a moment later is known before the origin is taken.
 * @param onFound told of every candidate, and of every rejection with its reason, as they come
 * @returns at least one candidate
 * @throws PlasmError `no-provider` (facts: `deadlineMs`, `rejected`)
 */
export async function discover(
  config: Pick<AgentConfig, 'providers' | 'channel' | 'arch'>,
  onFound: (found: Candidate | RejectedCandidate) => void,
  { deadlineMs, addresses }: DiscoverOptions = DISCOVERY,
): Promise<readonly Candidate[]> {
  const stop = new AbortController()
  const startedAt = performance.now()
  const found = new Map<string, Candidate & { readonly at: number }>()
  const rejected = new Map<string, string>()
  const consider = (candidate: Candidate | RejectedCandidate) => {
    const { url } = candidate
    if ('reason' in candidate) {
      // One that said goodbye; what somebody else says of the same place does not count.
      if (found.get(url)?.source === candidate.source) found.delete(url)
      if (rejected.get(url) === candidate.reason) return
      rejected.set(url, candidate.reason)
    } else {
      const known = found.get(url)
      // What was named on the command line stays so, but learns from an advertisement of the same place.
      if (known && (known.generation !== null || candidate.generation === null)) return
      found.set(url, { ...candidate, source: known?.source ?? candidate.source, at: performance.now() })
      if (known) return
    }
    onFound(candidate)
  }
  const searches = sourcesOf(config, addresses).map((look) => look(consider, stop.signal))
  try {
    for (;;) {
      const now = performance.now()
      const settled = settledAt([...found.values()])
      if (settled !== undefined && now >= settled)
        return [...found.values()].map(({ at: _, ...candidate }) => candidate)
      if (settled === undefined && now - startedAt >= deadlineMs)
        throw noProvider(config, deadlineMs, rejected, addresses())
      await sleep(TICK_MS)
    }
  } finally {
    stop.abort()
    await Promise.all(searches)
  }
}

function sourcesOf(
  config: Pick<AgentConfig, 'providers' | 'channel' | 'arch'>,
  addresses: DiscoverOptions['addresses'],
): readonly Source[] {
  return [linkProviders(config, addresses), ...config.providers.map(namedProvider)]
}

function noProvider(
  { providers, channel, arch }: Pick<AgentConfig, 'providers' | 'channel' | 'arch'>,
  deadlineMs: number,
  rejected: ReadonlyMap<string, string>,
  own: ReadonlySet<string>,
): PlasmError {
  const silent = providers.map((url) => `${url}: does not answer`)
  const reasons = [...silent, ...[...rejected].map(([url, reason]) => `${url}: ${reason}`)]
  return new PlasmError('no-provider', `no provider for ${channel}/${arch} within ${deadlineMs / 1000} s`, {
    facts: { deadlineMs, rejected: reasons, ownAddresses: [...own] },
    hint: !hasGivenAddress(own)
      ? 'nobody has given this machine an address: check DHCP'
      : 'start a provider on this link, let UDP 5353 multicast pass, or name one with phase.provider=http://host:8080',
  })
}
