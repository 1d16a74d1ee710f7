import { SocketAddress } from 'node:net'
import { goodbye, hasEnded, isDue, type Lease, lease } from './dns-lease.ts'
import { isLinkLocal } from './own-links.ts'

/** More than a machine has; who sends more is not to fill the memory. */
const PER_HOST = 16
/** Records that are in the same answer came within a second of each other (RFC 6762, 10.2). */
const SAME_ANSWER_MS = 1000

export interface AddressRecord {
  readonly type: 'A' | 'AAAA'
  readonly data: string
  /** Seconds. */
  readonly ttl?: number | undefined
  /** The cache-flush bit: these are all that there are. */
  readonly flush?: boolean | undefined
}

type Known = Lease & { readonly type: 'A' | 'AAAA'; readonly link: string }

/** The addresses of host names, as they were heard on each link, until their time is over. */
export interface HostAddresses {
  put(host: string, record: AddressRecord, link: string, now: number): void
  /** IPv6 link-local ones with their scope. */
  of(host: string): readonly string[]
  /** Lets go of what has ended, and of hosts that nobody names. */
  expire(isNamed: (host: string) => boolean, now: number): void
  /** The types to ask for anew. */
  due(host: string, now: number): ReadonlyArray<'A' | 'AAAA'>
}

export function createHostAddresses(): HostAddresses {
  const hosts = new Map<string, Map<string, Known>>()
  return {
    put(host, { type, data, ttl, flush }, link, now) {
      const known = hosts.get(host) ?? new Map<string, Known>()
      hosts.set(host, known)
      const address = canonical(type, data, link)
      if (address === undefined) return
      if (flush) endOthers(known, { type, link }, now)
      const before = known.get(address)
      known.delete(address)
      // No time to live is a goodbye (RFC 6762, 10.1).
      if (!ttl) before && known.set(address, { ...before, ...goodbye(before, now) })
      else {
        // Whoever says that a host has many addresses must not keep the host's own from being heard.
        if (known.size >= PER_HOST) known.delete(known.keys().next().value!)
        known.set(address, { ...lease(ttl, now), type, link })
      }
    },
    of: (host) => [...(hosts.get(host)?.keys() ?? [])],
    expire(isNamed, now) {
      for (const [host, known] of hosts) {
        for (const [address, record] of known) if (hasEnded(record, now)) known.delete(address)
        if (known.size === 0 || !isNamed(host)) hosts.delete(host)
      }
    },
    due: (host, now) => [
      ...new Set([...(hosts.get(host)?.values() ?? [])].filter((known) => isDue(known, now)).map(({ type }) => type)),
    ],
  }
}

/** Only those heard on the same link: a host of several has other addresses on another. */
function endOthers(known: Map<string, Known>, { type, link }: Pick<Known, 'type' | 'link'>, now: number): void {
  for (const [address, record] of known) {
    const other = record.type === type && record.link === link && now - record.at > SAME_ANSWER_MS
    if (other) known.set(address, { ...record, at: now, ttl: Math.min(record.ttl, 1) })
  }
}

/** As the system writes it, so that addresses can be compared. */
function canonical(type: 'A' | 'AAAA', data: string, link: string): string | undefined {
  try {
    const { address } = new SocketAddress({ address: data, family: type === 'A' ? 'ipv4' : 'ipv6' })
    return isLinkLocal(address) ? `${address}%${link}` : address
  } catch {
    return undefined
  }
}
