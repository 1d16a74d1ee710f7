import type { Answer } from 'dns-packet'
import { goodbye, hasEnded, isDue, type Lease, lease, secondsLeft } from './dns-lease.ts'
import type { KnownInstance, Question } from './dns-query.ts'
import { type AddressRecord, createHostAddresses } from './host-addresses.ts'
import { isLinkLocal } from './own-links.ts'
import { parseTxt } from './parse-txt.ts'

/** INTEROP: discovery. */
export const SERVICE = '_phase-image._tcp.local'

/** Anybody on the link can advertise without end: what is kept has limits, and one machine does not get all of it. */
export const KEPT = { services: 64, perSender: 8 }
/** The sender of a packet can be forged, so a flood has as many as it likes: more often than this it takes no place from anybody. */
export const DRAW_EVERY_MS = 1_000

/** The records of one packet, and who sent it. */
export interface DnsResponse {
  readonly records: readonly Answer[]
  readonly sender: string
  /** Name of the interface on which it came. */
  readonly link: string
}

export interface ServiceInstance {
  /** First label: `plasmd-<hostname>`. */
  readonly label: string
  /** Name of the host that has it. */
  readonly target: string
  readonly port: number
  /** IPv6 link-local ones with their scope. */
  readonly addresses: readonly string[]
  /** Where the answer came from, which is certainly an address that reaches us. */
  readonly sender: string
  readonly txt: ReadonlyMap<string, string>
}

/** What is different since it was last asked. */
export interface Changes {
  /** Complete for the first time, or no longer as they were. */
  readonly found: readonly ServiceInstance[]
  readonly gone: ReadonlyArray<{ readonly instance: ServiceInstance; readonly why: string }>
}

/** Gathers DNS-SD records (RFC 6763) until an instance has all it takes, and lets them go when their time is over. */
export interface InstanceTable {
  add(response: DnsResponse, now: number): void
  changes(now: number): Changes
  /** Records still to be asked for. */
  missing(): readonly Question[]
  /** Records of which most of their time is over, or for which somebody has said goodbye. Pointers are asked for together, and first. */
  due(now: number): readonly Question[]
  /** What nobody needs to answer again. */
  known(now: number): readonly KnownInstance[]
  /** How many were turned away, since they belong to another service or there is no room. */
  turnedAway(): number
}

interface Instance {
  readonly name: string
  readonly introducedBy: string
  pointer: Lease
  srv?: (Lease & { readonly target: string; readonly port: number }) | undefined
  txt?: (Lease & { readonly pairs: ReadonlyMap<string, string> }) | undefined
  sender: string
  /** As it was when it was last told, and in one string, to compare. */
  told?: { readonly instance: ServiceInstance; readonly state: string } | undefined
}

export function createInstanceTable(): InstanceTable {
  const instances = new Map<string, Instance>()
  const hosts = createHostAddresses()
  let gone: Array<Changes['gone'][number]> = []
  let turnedAway = 0
  let drawnAt = -DRAW_EVERY_MS

  const leave = (key: string, { told }: Instance, why: string) => {
    instances.delete(key)
    if (told) gone.push({ instance: told.instance, why })
  }
  const complete = ({ name, srv, txt, sender }: Instance): ServiceInstance | undefined => {
    const addresses = srv ? hosts.of(srv.target) : []
    if (!srv || !txt || addresses.length === 0) return undefined
    return { label: labelOf(name), target: srv.target, port: srv.port, addresses, sender, txt: txt.pairs }
  }
  /**
   * Where all room is taken, one that never became complete makes room for another, or one of the sender that has the most; and where
   * all have one, one by lot for a sender that has none, so that nobody holds all places for as long as his records last.
   */
  const hasRoom = (sender: string, now: number): boolean => {
    const all = [...instances]
    const own = all.filter(([, { introducedBy }]) => introducedBy === sender).length
    if (own >= KEPT.perSender) return false
    if (all.length < KEPT.services) return true
    const useless = all.find(([, instance]) => !complete(instance))
    if (useless) return instances.delete(useless[0])
    const most = Object.values(Object.groupBy(all, ([, { introducedBy }]) => introducedBy)).reduce((a, b) =>
      b!.length > a!.length ? b : a,
    )!
    if (most.length >= own + 2) {
      leave(...most.at(-1)!, 'there is no room for so many of one sender')
      return true
    }
    // Shares are even then, and the places of those who have one do not go to and fro.
    if (own > 0 || now - drawnAt < DRAW_EVERY_MS) return false
    drawnAt = now
    leave(...all[Math.floor(Math.random() * all.length)]!, 'there is no room for so many senders')
    return true
  }
  const putPointer = (name: string, ttl: number | undefined, sender: string, now: number) => {
    const key = name.toLowerCase()
    const known = instances.get(key)
    // A goodbye is a record with no time to live (RFC 6762, 10.1).
    if (!ttl) {
      if (known) known.pointer = goodbye(known.pointer, now)
    } else if (known) known.pointer = lease(ttl, now)
    else if (key.endsWith(`.${SERVICE}`) && hasRoom(sender, now)) {
      instances.set(key, { name, introducedBy: sender, pointer: lease(ttl, now), sender })
    } else turnedAway += 1
  }
  const putDetail = (record: Answer & { type: 'SRV' | 'TXT' }, sender: string, now: number) => {
    const instance = instances.get(record.name.toLowerCase())
    if (!instance) return
    const { ttl } = record
    if (!ttl) {
      const { srv, txt } = instance
      if (record.type === 'TXT') instance.txt = txt && { ...txt, ...goodbye(txt, now) }
      else instance.srv = srv && { ...srv, ...goodbye(srv, now) }
      return
    }
    if (record.type === 'TXT') instance.txt = { ...lease(ttl, now), pairs: parseTxt(record.data) }
    else {
      const { target, port } = record.data
      instance.srv = { ...lease(ttl, now), target: target.toLowerCase(), port }
    }
    instance.sender = sender
  }
  const isTarget = (host: string) => [...instances.values()].some(({ srv }) => srv?.target === host)

  return {
    // The order of records in a packet means nothing: what a later one needs is put first.
    add({ records, sender, link }, now) {
      for (const record of records) {
        if (record.type === 'PTR' && record.name.toLowerCase() === SERVICE)
          putPointer(record.data, record.ttl, sender, now)
      }
      for (const record of records) {
        if (record.type === 'SRV' || record.type === 'TXT') putDetail(record, sender, now)
      }
      for (const record of records) {
        if (record.type !== 'A' && record.type !== 'AAAA') continue
        const host = record.name.toLowerCase()
        if (isTarget(host)) hosts.put(host, record as typeof record & AddressRecord, link, now)
      }
    },
    changes(now) {
      for (const [key, instance] of instances) {
        const { pointer } = instance
        const why = pointer.goodbye ? 'it said goodbye' : 'its time to live is over'
        if (hasEnded(pointer, now)) leave(key, instance, why)
        if (instance.srv && hasEnded(instance.srv, now)) instance.srv = undefined
        if (instance.txt && hasEnded(instance.txt, now)) instance.txt = undefined
      }
      hosts.expire(isTarget, now)
      const found: ServiceInstance[] = []
      for (const instance of instances.values()) {
        const now = complete(instance)
        if (!now) {
          if (instance.told) gone.push({ instance: instance.told.instance, why: 'it has no address any more' })
          instance.told = undefined
          continue
        }
        const state = JSON.stringify([now.target, now.port, now.addresses, [...now.txt]])
        if (instance.told?.state === state) continue
        instance.told = { instance: now, state }
        found.push(now)
      }
      const left = gone
      gone = []
      return { found, gone: left }
    },
    missing: () =>
      [...instances.values()].flatMap(({ name, srv, txt }): Question[] => [
        ...(srv ? [] : [{ name, type: 'SRV' as const }]),
        ...(txt ? [] : [{ name, type: 'TXT' as const }]),
        // By IPv6 avahi tells of IPv6 addresses only, and a link-local one is what nobody connects to by choice.
        ...(srv && hosts.of(srv.target).every(isLinkLocal) ? [{ name: srv.target, type: 'A' as const }] : []),
        ...(srv && hosts.of(srv.target).length === 0 ? [{ name: srv.target, type: 'AAAA' as const }] : []),
      ]),
    due(now) {
      const all = [...instances.values()]
      const pointers = all.filter(({ pointer }) => isDue(pointer, now))
      const details = all.flatMap(({ name, srv, txt }): Question[] => [
        ...(srv && isDue(srv, now) ? [{ name, type: 'SRV' as const }] : []),
        ...(txt && isDue(txt, now) ? [{ name, type: 'TXT' as const }] : []),
        ...(srv ? hosts.due(srv.target, now).map((type) => ({ name: srv.target, type })) : []),
      ])
      return [...(pointers.length > 0 ? [{ name: SERVICE, type: 'PTR' as const }] : []), ...details]
    },
    // Not what has lived more than half of its time (RFC 6762, 7.1), nor what is incomplete: its answer brings the rest along.
    known: (now) =>
      [...instances.values()]
        .filter(({ pointer }) => !pointer.goodbye && secondsLeft(pointer, now) * 2 > pointer.ttl)
        .filter(complete)
        .map(({ name, pointer }) => ({ name, ttl: secondsLeft(pointer, now) })),
    turnedAway: () => turnedAway,
  }
}

function labelOf(instance: string): string {
  return instance.slice(0, -SERVICE.length - 1)
}
