import { type Answer, encode, type Packet } from 'dns-packet'
import { SERVICE } from '../../service/dns-sd.ts'

export interface Told {
  readonly label: string
  readonly address: string
  readonly port?: number
  readonly host?: string
  /** Seconds, of all records. */
  readonly ttl?: number
  readonly txt?: Readonly<Record<string, string>>
}

/** An announcement of a provider, all records in one packet, as ciao and avahi send it. */
export function announcement({ label, address, port = 8080, host = 'rogue', ttl = 120, txt = {} }: Told): Buffer {
  const name = `${label}.${SERVICE}`
  const target = `${host}.local`
  const data = Object.entries({ channel: 'stable', ...txt }).map(([key, value]) => Buffer.from(`${key}=${value}`))
  const answers: Answer[] = [
    { type: 'PTR', name: SERVICE, data: name, ttl },
    { type: 'SRV', name, data: { target, port }, ttl, flush: true } as Answer,
    { type: 'TXT', name, data, ttl, flush: true } as Answer,
    { type: 'A', name: target, data: address, ttl, flush: true } as Answer,
  ]
  return response(answers)
}

/** 0x0400: authoritative, as every answer by multicast is (RFC 6762, 18.4). */
export const response = (answers: Answer[]): Buffer => encode({ type: 'response', flags: 0x0400, answers } as Packet)

const header = (answers: number): Buffer => {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16BE(0x8400, 2)
  bytes.writeUInt16BE(answers, 6)
  return bytes
}

/** What is no DNS, or DNS that leads nowhere; each has done harm to some resolver. */
export const MALFORMED: Readonly<Record<string, Buffer>> = {
  'no byte': Buffer.alloc(0),
  'a header that is cut': Buffer.alloc(5),
  'a name that points at itself': Buffer.concat([header(1), Buffer.of(0xc0, 12), Buffer.alloc(10)]),
  'two names that point at each other': Buffer.concat([header(1), Buffer.of(0xc0, 14, 0xc0, 12), Buffer.alloc(10)]),
  'a name that points beyond the end': Buffer.concat([header(1), Buffer.of(0xff, 0xff), Buffer.alloc(10)]),
  'a label without its end': Buffer.concat([header(1), Buffer.of(63, 0x61)]),
  'a name of 300 bytes': Buffer.concat([header(1), Buffer.from('?'.padEnd(64, 'a').repeat(5)), Buffer.alloc(11)]),
  'more answers than there are': Buffer.concat([
    header(65535),
    announcement({ label: 'x', address: '10.0.0.1' }).subarray(12),
  ]),
  'data beyond the end': announcement({ label: 'x', address: '10.0.0.1' }).subarray(0, -2),
  'more than 9,000 bytes': Buffer.concat([announcement({ label: 'x', address: '10.0.0.1' }), Buffer.alloc(9000)]),
}
