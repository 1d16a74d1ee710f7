import type { AgentEvent } from '../agent/events.ts'

/** Times on one clock, milliseconds; each is when the harness saw it happen. */
export interface Marks {
  readonly qemuStarted: number
  readonly firstBanner: number
  /** The agent's last words before `kexec -e`. */
  readonly kexecLine: number
  readonly secondBanner: number
  readonly ready: number
  /** Where discovery stood, by the machine's own clock; null where its reports do not say. */
  readonly discovery: DiscoveryMarks | null
}

/** Seconds since the fetch stage's kernel started. */
export interface DiscoveryMarks {
  readonly networkUp: number
  /** When the agent had started and began to look, which may be before there is a network. */
  readonly looked: number
  /** The first time; another one may be turned to later. */
  readonly chosen: number
}

/** Seconds, to a tenth; the four parts sum to `total`; `discovery` lies within the fetch stage, and `looking` within that. */
export interface Seconds {
  readonly total: number
  readonly firmware: number
  readonly fetchStage: number
  readonly kexec: number
  readonly serveStage: number
  /** From when the machine had an address to when it had chosen a provider, manifests verified; null where it did not say. */
  readonly discovery: number | null
  /** What of it is left once the agent has started: the rest is its executable being read, beside which DHCP answers. */
  readonly looking: number | null
}

/** Rounds the marks, not the differences, so that the rounded parts still sum to the rounded total. */
export function secondsOf(marks: Marks): Seconds {
  const tenths = (mark: number) => Math.round((mark - marks.qemuStarted) / 100)
  const between = (from: number, to: number) => (tenths(to) - tenths(from)) / 10
  return {
    total: between(marks.qemuStarted, marks.ready),
    firmware: between(marks.qemuStarted, marks.firstBanner),
    fetchStage: between(marks.firstBanner, marks.kexecLine),
    kexec: between(marks.kexecLine, marks.secondBanner),
    serveStage: between(marks.secondBanner, marks.ready),
    ...discoverySeconds(marks.discovery),
  }
}

function discoverySeconds(marks: DiscoveryMarks | null): Pick<Seconds, 'discovery' | 'looking'> {
  if (marks === null) return { discovery: null, looking: null }
  const { networkUp, looked, chosen } = marks
  const since = (uptime: number) => Math.round((chosen - uptime) * 10) / 10
  return { discovery: since(networkUp), looking: since(Math.max(networkUp, looked)) }
}

/** From the reports of a machine's fetch stage. */
export function discoveryMarks(
  reported: ReadonlyArray<{ readonly uptime: number; readonly event: AgentEvent }>,
): DiscoveryMarks | null {
  const up = reported.map(({ event }) => event).find((event) => event.type === 'network-up')
  const looked = reported.find(({ event }) => event.type === 'step-started' && event.step === 'discover')
  const chosen = reported.find(({ event }) => event.type === 'candidate' && event.verdict === 'chosen')
  return up && looked && chosen ? { networkUp: up.uptime, looked: looked.uptime, chosen: chosen.uptime } : null
}
