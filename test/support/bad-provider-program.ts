import { setTimeout as sleep } from 'node:timers/promises'
import type { BootRecord } from '../../agent/boot-record.ts'
import type { AgentEvent } from '../../agent/events.ts'
import { chooseAccelerator } from '../../host-harness/accelerator.ts'
import { guestPlace, HARNESS_ADDRESS, PROVIDER_PORT } from '../../host-harness/addresses.ts'
import { type ChainSpec, readPublishedSet } from '../../host-harness/chain-spec.ts'
import { consoleFacts } from '../../host-harness/console.ts'
import { type Guest, startGuest } from '../../host-harness/guest.ts'
import { createNetwork } from '../../host-harness/network.ts'
import { startOrigin } from '../../host-harness/origin.ts'
import { openReportServer } from '../../host-harness/report-server.ts'
import { servedSetDifferences } from '../../host-harness/served-set.ts'
import { lanOf } from '../../host-harness/topology.ts'
import { readyWithinSeconds, waitUntilReady } from '../../host-harness/wait-ready.ts'

/**
 * usage: bad-provider-program.ts JSON, of the type {@link Task}, as root and PID 1 of fresh namespaces, so that nothing outlives
 * it. Boots a machine with only a bad provider in reach, then with a good one in its place or beside it. Prints what was seen as
 * one JSON object, the type {@link Seen}; a machine that never gets there is an error.
 */
export interface Task {
  readonly spec: ChainSpec
  /** What the bad provider serves. */
  readonly badDir: string
  /** The step that refuses it. */
  readonly refusedBy: 'verify' | 'fetch'
  readonly goodOne: 'instead' | 'beside'
}

/**
 * The kernel makes an environment variable of PID 1 of this. Were it handed to Node, no agent would start: so a machine that
 * reports at all has kept it out (DESIGN decision 3).
 */
const HOSTILE = 'NODE_OPTIONS=--no-such-option'

/** Where a good provider is beside the bad one, which has the origin's place. */
export const BESIDE = { name: 'beside', address: HARNESS_ADDRESS }

const LOOK_EVERY_MS = 50

export type StepFailed = Extract<AgentEvent, { type: 'step-failed' }>

export interface Seen {
  /** Where the machine is left by the bad provider: its first failure, the end of that attempt, what its console shows. */
  readonly bad: {
    readonly lines: readonly string[]
    readonly failure: StepFailed
    readonly gaveUp: string
    readonly console: Kernels
  }
  readonly good: {
    readonly providerUrl: string
    readonly candidates: BootRecord['candidates']
    readonly release: string | null
    readonly handover: string
    readonly console: Kernels
    readonly resets: number
    /** How long after the good provider's start the machine kexeced; negative: before. */
    readonly kexecAfterMs: number
    readonly bootIdChanged: boolean
    readonly servedSetDifferences: readonly string[]
  }
}

interface Kernels {
  readonly banners: number
  readonly commandLines: number
  readonly saidKexec: boolean
}

if (import.meta.main) {
  console.log(JSON.stringify(await bootPast(JSON.parse(process.argv[2]!))))
  process.exit(0)
}

async function bootPast({ spec, badDir, refusedBy, goodOne }: Task): Promise<Seen> {
  await using started = new AsyncDisposableStack()
  const place = guestPlace(1)
  const { accel } = await chooseAccelerator(spec.arch, `${spec.mediaDir}/kernel`, spec.runDir)
  const within = readyWithinSeconds(accel, spec.arch)
  const network = started.use(await createNetwork(lanOf([place]), spec.runDir))
  const reportServer = started.use(await openReportServer(HARNESS_ADDRESS, spec.runDir))
  const bad = await startOrigin(network.inOrigin, { ...spec, publishedDir: badDir })
  started.defer(bad.stop)
  const guest = await startGuest(place, { spec, accel, reportServer, emit: () => {}, parameters: [HOSTILE] })
  started.use(guest.machine)

  const refused = await waitUntilRefused(guest, refusedBy, within)
  if (goodOne === 'instead') await bad.stop()
  const left = { ...refused, console: kernels(guest), lines: guest.machine.lines.map(({ text }) => text) }

  const goodFrom = performance.now()
  const good = await (goodOne === 'instead' ? startOrigin(network.inOrigin, spec) : startOrigin([], spec, BESIDE))
  started.defer(good.stop)
  const secondsSoFar = (performance.now() - guest.machine.startedAt) / 1000
  const { signal } = new AbortController()
  const { event, bootId } = await waitUntilReady(guest.machine, guest.events, secondsSoFar + within, signal)
  const url = `http://${place.address}:${PROVIDER_PORT}`
  return {
    bad: left,
    good: {
      providerUrl: event.record.provider.url,
      candidates: event.record.candidates,
      release: event.release,
      handover: event.record.handover,
      console: kernels(guest),
      resets: guest.machine.resets(),
      kexecAfterMs: (consoleFacts(guest.machine.lines).kexecAt ?? 0) - goodFrom,
      bootIdChanged: bootId !== event.record.fetchBootId,
      servedSetDifferences: await servedSetDifferences(url, await readPublishedSet(spec), signal),
    },
  }
}

/** Waits for a failed step and for the end of the attempt that it belongs to: only then could no kexec follow any more. */
async function waitUntilRefused({ machine, events: reported }: Guest, step: Task['refusedBy'], seconds: number) {
  const deadline = machine.startedAt + seconds * 1000
  for (;;) {
    const events = reported.map(({ event }) => event)
    const at = events.findIndex((event) => event.type === 'step-failed' && event.step === step)
    const end = events.slice(at + 1).find((event) => event.type === 'not-ready')
    if (at >= 0 && end?.type === 'not-ready') return { failure: events[at] as StepFailed, gaveUp: end.reason }
    if (events.some(({ type }) => type === 'kexec')) throw new Error('it kexecs into the bad set')
    const ended = machine.ended()
    if (ended) throw new Error(ended)
    if (performance.now() > deadline) {
      throw new Error(`no failed ${step} within ${seconds} s; last report: ${JSON.stringify(events.at(-1))}`)
    }
    await sleep(LOOK_EVERY_MS)
  }
}

function kernels({ machine, events: reported }: Guest): Kernels {
  const { banners, commandLines, kexecAt } = consoleFacts(machine.lines)
  const saidKexec = kexecAt !== null || reported.some(({ event }) => event.type === 'kexec')
  return { banners: banners.length, commandLines, saidKexec }
}
