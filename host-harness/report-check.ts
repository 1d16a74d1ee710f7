import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Report } from '../agent/events.ts'
import { isPeerId } from '../service/peer-id.ts'

/** What the harness gave a machine, to know its reports by. */
export interface Enrolled {
  readonly runId: string
  readonly token: string
  readonly address: string
}

/** The last report accepted in one boot of a machine. */
export interface LastReport {
  readonly seq: number
  readonly digest: string
}

export interface Posted {
  readonly body: Uint8Array
  /** Header `X-Plasm-Signature`. */
  readonly signature: string | undefined
  /** Address that the connection came from. */
  readonly from: string
}

export type Refusal = 'malformed' | 'unknown-run' | 'forged' | 'wrong-address' | 'other-peer' | 'replayed'

export type Checked =
  | { readonly kind: 'accepted'; readonly report: Report; readonly machine: Enrolled; readonly digest: string }
  /** The very same report again: its answer was lost. */
  | { readonly kind: 'repeated' }
  | { readonly kind: 'refused'; readonly why: Refusal }

/**
 * Checks a report against what the harness gave its machine: HMAC-SHA256 of the raw body by the machine's token, the
 * address it comes from, the peer id that its first report had, and a number that rises within a boot id. Keys are free to make;
 * this is what binds one to a machine.
 * @param last finds the last report accepted from a run and boot id
 * @param peers run id -> peer id bound to that machine so far
 */
export function checkReport(
  posted: Posted,
  enrolled: readonly Enrolled[],
  last: (runId: string, bootId: string) => LastReport | undefined,
  peers: ReadonlyMap<string, string> = new Map(),
): Checked {
  const report = parse(posted.body)
  if (!report) return refused('malformed')
  const machine = enrolled.find(({ runId }) => runId === report.runId)
  if (!machine) return refused('unknown-run')
  if (!signedBy(machine.token, posted)) return refused('forged')
  if (posted.from !== machine.address) return refused('wrong-address')
  if (!mayBe(report.peerId ?? null, machine.runId, peers)) return refused('other-peer')
  const digest = createHash('sha256').update(posted.body).digest('hex')
  const previous = last(machine.runId, report.bootId)
  if (previous && report.seq <= previous.seq) {
    return previous.seq === report.seq && previous.digest === digest ? { kind: 'repeated' } : refused('replayed')
  }
  return { kind: 'accepted', report, machine, digest }
}

const refused = (why: Refusal): Checked => ({ kind: 'refused', why })

/** One machine, one peer, and no two machines the same one. A report may leave it out. */
function mayBe(peerId: string | null, runId: string, peers: ReadonlyMap<string, string>): boolean {
  if (peerId === null) return true
  const bound = peers.get(runId)
  return bound === undefined ? ![...peers.values()].includes(peerId) : bound === peerId
}

function signedBy(token: string, { body, signature }: Posted): boolean {
  const expected = Buffer.from(`sha256=${createHmac('sha256', token).update(body).digest('hex')}`)
  const given = Buffer.from(signature ?? '')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** Only what is needed to tell whose it is: once the signature holds, the content is the agent's own. */
function parse(body: Uint8Array): Report | undefined {
  try {
    const report = JSON.parse(Buffer.from(body).toString('utf8')) as Partial<Report> | null
    const fits =
      report?.version === 1 &&
      typeof report.bootId === 'string' &&
      Number.isSafeInteger(report.seq) &&
      (report.peerId == null || (typeof report.peerId === 'string' && isPeerId(report.peerId))) &&
      Array.isArray(report.events) &&
      report.events.length > 0 &&
      report.events.every((timed) => typeof timed?.event?.type === 'string')
    return fits ? (report as Report) : undefined
  } catch {
    return undefined
  }
}
