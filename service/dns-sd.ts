import type { Answer } from 'dns-packet'

/** INTEROP: discovery. */
export const SERVICE = '_phase-image._tcp.local'

type RecordType = 'PTR' | 'SRV' | 'TXT' | 'A'

/** The records of one packet, and who sent it. */
export interface DnsResponse {
  readonly records: readonly Answer[]
  readonly sender: string
}

interface Instance {
  readonly name: string
  target?: string
  port?: number
  txt?: ReadonlyMap<string, string>
  sender: string
}

/** Gathers DNS-SD records (RFC 6763) until an instance has all it takes. */
export interface InstanceTable {
  add(response: DnsResponse): void
  /** Records still to be asked for. */
  missing(): ReadonlyArray<{ readonly name: string; readonly type: RecordType }>
  /** Instances that are complete. */
  complete(): readonly ServiceInstance[]
}

export interface ServiceInstance {
  /** First label: `plasmd-<hostname>`. */
  readonly label: string
  readonly port: number
  readonly addresses: readonly string[]
  /** Where the answer came from, which is certainly an address that reaches us. */
  readonly sender: string
  readonly txt: ReadonlyMap<string, string>
}

export function createInstanceTable(): InstanceTable {
  const instances = new Map<string, Instance>()
  const addresses = new Map<string, Set<string>>()

  const put = (record: Answer, sender: string) => {
    const name = record.name.toLowerCase()
    if (record.type === 'PTR' && name === SERVICE) {
      const key = record.data.toLowerCase()
      // A goodbye is a record with no time to live (RFC 6762, 10.1).
      if (record.ttl === 0) instances.delete(key)
      else if (!instances.has(key)) instances.set(key, { name: record.data, sender })
    } else if (record.type === 'A') {
      addresses.set(name, (addresses.get(name) ?? new Set()).add(record.data))
    } else if (record.type === 'SRV' || record.type === 'TXT') {
      const instance = instances.get(name)
      if (!instance) return
      instance.sender = sender
      if (record.type === 'TXT') instance.txt = parseTxt(record.data)
      else Object.assign(instance, { target: record.data.target.toLowerCase(), port: record.data.port })
    }
  }
  return {
    add({ records, sender }) {
      // Pointers first: the order of records in a packet means nothing.
      for (const record of records) if (record.type === 'PTR') put(record, sender)
      for (const record of records) if (record.type !== 'PTR') put(record, sender)
    },
    missing: () =>
      [...instances.values()].flatMap(({ name, target, txt }) => [
        ...(target === undefined ? [{ name, type: 'SRV' as const }] : []),
        ...(txt === undefined ? [{ name, type: 'TXT' as const }] : []),
        ...(target !== undefined && !addresses.has(target) ? [{ name: target, type: 'A' as const }] : []),
      ]),
    complete: () =>
      [...instances.values()].flatMap(({ name, target, port, txt, sender }) => {
        const found = target === undefined ? undefined : addresses.get(target)
        if (port === undefined || txt === undefined || found === undefined) return []
        return [{ label: labelOf(name), port, addresses: [...found], sender, txt }]
      }),
  }
}

/** TXT strings as pairs (RFC 6763, 6.4): keys have no case, the first of a name counts, a lone key is empty. */
export function parseTxt(data: unknown): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const item of Array.isArray(data) ? data : [data]) {
    const text = Buffer.isBuffer(item) ? item.toString('utf8') : String(item)
    const at = text.indexOf('=')
    const key = (at < 0 ? text : text.slice(0, at)).toLowerCase()
    if (key && !pairs.has(key)) pairs.set(key, at < 0 ? '' : text.slice(at + 1))
  }
  return pairs
}

function labelOf(instance: string): string {
  return instance.toLowerCase().endsWith(`.${SERVICE}`) ? instance.slice(0, -SERVICE.length - 1) : instance
}
