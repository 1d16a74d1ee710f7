import type * as DnsPacket from 'dns-packet'
import { encodeQuery, type Question } from './dns-query.ts'
import { createInstanceTable, type InstanceTable, SERVICE, type ServiceInstance } from './dns-sd.ts'
import { createMdnsSockets, type LinkPacket, MDNS_PORT } from './mdns-sockets.ts'
import { hasGivenAddress } from './own-addresses.ts'
import { ownLinks } from './own-links.ts'

/** At once, then once more soon, then slower (RFC 6762, 5.2), counted from when an interface has its address; each twice as late at the end. */
const QUERY_AT_MS = [0, 250, 1_000, 3_000, 6_000]
const QUERY_AT_MOST_EVERY_MS = 3600_000
/** DHCP brings addresses while we wait; once they are there a look costs a slow guest more than it brings. */
const INTERFACES_EVERY_MS = { without: 50, with: 500 }
const EXPIRY_EVERY_MS = 500
/** What is missing is asked for together, however fast packets come that lack something. */
const ASK_AFTER_MS = 20
/** RFC 6762, 17: no packet is longer, fragmented or not. */
const PACKET_MAX = 9_000

/** What came that was no use. Counted, and nothing else: anybody on the link can send it. */
export interface BrowseCounts {
  /** Answers that could be read. */
  answers: number
  /** Packets that are no DNS, or not by its rules. */
  malformed: number
  /** Packets from addresses that are on none of this machine's links. */
  offLink: number
  /** Services beyond the limits (dns-sd.ts), or of another kind. */
  turnedAway: number
}

export interface Browsing {
  /** Whose links are browsed. */
  readonly addresses: () => ReadonlySet<string>
  /** An instance is complete, or is no longer as it was. */
  readonly onFound: (instance: ServiceInstance) => void
  readonly onGone?: (instance: ServiceInstance, why: string) => void
  readonly signal: AbortSignal
  /** Kept up to date. */
  readonly counts?: BrowseCounts
}

export const noCounts = (): BrowseCounts => ({ answers: 0, malformed: 0, offLink: 0, turnedAway: 0 })

/** Browses for providers on every link that this machine has one of these addresses on, by IPv4 and IPv6, until aborted. */
export async function browseLinks({
  addresses,
  onFound,
  onGone = () => {},
  signal,
  counts = noCounts(),
}: Browsing): Promise<void> {
  const { decode } = await import('dns-packet')
  const table = createInstanceTable()
  const timers = new Set<NodeJS.Timeout>()
  const later = (milliseconds: number, work: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, milliseconds)
    timers.add(timer)
  }
  const tell = () => {
    const { found, gone } = table.changes(performance.now())
    for (const { instance, why } of gone) onGone(instance, why)
    for (const instance of found) onFound(instance)
  }
  const asked = new Set<string>()
  let asking = false
  /** What an answer lacks is asked for at once, but once only: who never answers is asked in the common rounds. */
  const askForMissing = () => {
    const fresh = table.missing().filter(({ name, type }) => !asked.has(`${type} ${name}`))
    if (asking || fresh.length === 0) return
    asking = true
    later(ASK_AFTER_MS, () => {
      asking = false
      const wanted = table.missing().filter(({ name, type }) => !asked.has(`${type} ${name}`))
      if (asked.size > 1000) asked.clear()
      for (const { name, type } of wanted) asked.add(`${type} ${name}`)
      if (wanted.length > 0) sockets.send(encodeQuery(wanted, { unicast: true }))
    })
  }
  const take = ({ bytes, sender, port, link }: LinkPacket) => {
    const records = answersIn(bytes, port, decode)
    if (records === 'malformed') counts.malformed += 1
    if (typeof records === 'string') return
    counts.answers += 1
    table.add({ records, sender, link }, performance.now())
    counts.turnedAway = table.turnedAway()
    tell()
    askForMissing()
  }
  const sockets = createMdnsSockets({
    onPacket: take,
    onForeign() {
      counts.offLink += 1
    },
    onOpen: (send) => !signal.aborted && beginRounds(send, table, later),
  })
  const follow = () => {
    const own = addresses()
    const isWanted = (address: string) => own.has(address)
    sockets.follow(ownLinks().filter(({ ipv4, ipv6, linkLocal }) => [...ipv4, ...ipv6, ...linkLocal].some(isWanted)))
  }
  let looking: NodeJS.Timeout | undefined
  const followOn = () => {
    follow()
    looking = setTimeout(followOn, INTERFACES_EVERY_MS[hasGivenAddress(addresses()) ? 'with' : 'without'])
  }
  followOn()
  const expiring = setInterval(() => {
    tell()
    const query = dueQuery(table, performance.now())
    if (query) sockets.send(query)
  }, EXPIRY_EVERY_MS)
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  clearTimeout(looking)
  clearInterval(expiring)
  for (const timer of timers) clearTimeout(timer)
  sockets.close()
}

/** Asks for what is nearly over, each at the times of RFC 6762, 5.2; nobody needs to answer with what has long to live. */
export function dueQuery(table: InstanceTable, now: number): Buffer | undefined {
  const due = table.due(now)
  const known = due[0]?.type === 'PTR' ? table.known(now) : []
  return due.length === 0 ? undefined : encodeQuery(due, { unicast: false, known })
}

/** Asks on one link, less and less often. */
function beginRounds(
  send: (packet: Buffer) => boolean,
  table: InstanceTable,
  later: (milliseconds: number, work: () => void) => void,
): void {
  const ask = (round: number) => {
    const questions: Question[] = [{ name: SERVICE, type: 'PTR' }, ...table.missing()]
    const isOpen = send(encodeQuery(questions, { unicast: round === 0, known: table.known(performance.now()) }))
    if (isOpen) later(untilNext(round), () => ask(round + 1))
  }
  ask(0)
}

/** Milliseconds from one round to the next: never less than twice as long as the one before (RFC 6762, 5.2), but for the first, soon repeated. */
export function untilNext(round: number): number {
  const [now, next] = [QUERY_AT_MS[round], QUERY_AT_MS[round + 1]]
  if (now !== undefined && next !== undefined) return next - now
  return Math.min(QUERY_AT_MOST_EVERY_MS, 6_000 * 2 ** (round - QUERY_AT_MS.length + 1))
}

/**
 * The records of an answer. A query, and what says that it is something else, is nothing here (RFC 6762, 18).
 * @param port the sender's; an answer from any other than mDNS's is none (section 6)
 */
export function answersIn(
  bytes: Buffer,
  port: number,
  decode: typeof DnsPacket.decode,
): readonly DnsPacket.Answer[] | 'malformed' | 'other' {
  if (bytes.length > PACKET_MAX) return 'malformed'
  try {
    const packet = decode(bytes)
    // It makes an address of less than four bytes, and tells only how far it read.
    if (decode.bytes > bytes.length) return 'malformed'
    // dns-packet gives both as words; its types do not have them.
    const { opcode, rcode } = packet as { opcode?: string; rcode?: string }
    if (packet.type !== 'response' || port !== MDNS_PORT || opcode !== 'QUERY' || rcode !== 'NOERROR') return 'other'
    return [...(packet.answers ?? []), ...(packet.additionals ?? [])]
  } catch {
    return 'malformed'
  }
}
