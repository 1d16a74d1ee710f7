import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlasmError } from '../service/errors.ts'
import { browseLinks } from '../service/mdns-browse.ts'
import { ownAddresses } from '../service/own-addresses.ts'
import { type Candidate, type RejectedCandidate, settledAt } from './candidate.ts'
import type { AgentConfig } from './config.ts'
import { judgeInstance } from './judge-instance.ts'

export interface DiscoverOptions {
  /** How long to look for the first candidate. */
  readonly deadlineMs: number
  /** The addresses whose links are browsed. */
  readonly addresses: () => ReadonlySet<string>
}

export const DISCOVERY: DiscoverOptions = { deadlineMs: 10_000, addresses: ownAddresses }
const TICK_MS = 25
const STATIC_RETRY_MS = 200

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
  const searches = [
    browseLinks(addresses, (instance) => consider(judgeInstance(instance, config, addresses())), stop.signal),
    ...config.providers.map((url) => waitFor(url, consider, stop.signal)),
  ]
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

/** A named provider is a candidate once something listens there: at first there may be no network yet. */
async function waitFor(url: string, consider: (candidate: Candidate) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await listens(url, signal)) {
      consider({ url, source: 'static', name: null, generation: null })
      return
    }
    await sleep(STATIC_RETRY_MS, undefined, { signal }).catch(() => {})
  }
}

function listens(url: string, signal: AbortSignal): Promise<boolean> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80), timeout: 1_000, signal })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
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
    hint:
      own.size === 0
        ? 'this machine has no IPv4 address: check DHCP'
        : 'start a provider on this link, let UDP 5353 multicast pass, or name one with phase.provider=http://host:8080',
  })
}
