import { setTimeout as sleep } from 'node:timers/promises'
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
import { readyWithinSeconds, waitUntilReady } from '../../host-harness/wait-ready.ts'

/**
 * usage: corrupted-provider-program.ts SPEC_JSON DAMAGED_DIR, as root and PID 1 of fresh namespaces, so that nothing outlives
 * it. Boots a machine with only a provider of the damaged set in reach, then with a good one in its place. Prints what was
 * seen as one JSON object, the type {@link Seen}; a machine that never gets there is an error.
 */
const LOOK_EVERY_MS = 50

export type StepFailed = Extract<AgentEvent, { type: 'step-failed' }>

export interface Seen {
  /** Where the machine is left by the damaged set: its first failed fetch, the end of that attempt, what its console shows. */
  readonly damaged: { readonly failure: StepFailed; readonly gaveUp: string; readonly console: Kernels }
  readonly good: {
    readonly providerUrl: string
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

const spec = JSON.parse(process.argv[2]!) as ChainSpec
console.log(JSON.stringify(await bootPastDamage(spec, process.argv[3]!)))
process.exit(0)

async function bootPastDamage(spec: ChainSpec, damagedDir: string): Promise<Seen> {
  await using started = new AsyncDisposableStack()
  const place = guestPlace(1)
  const { accel } = await chooseAccelerator(spec.arch, `${spec.mediaDir}/kernel`, spec.runDir)
  const within = readyWithinSeconds(accel, spec.arch)
  const network = started.use(await createNetwork([place], spec.runDir))
  const reportServer = started.use(await openReportServer(HARNESS_ADDRESS, spec.runDir))
  const bad = await startOrigin(network.inOrigin, { ...spec, publishedDir: damagedDir })
  started.defer(bad.stop)
  const guest = await startGuest(place, { spec, accel, reportServer, emit: () => {} })
  started.use(guest.machine)

  const refused = await waitUntilRefused(guest, within)
  await bad.stop()
  const damaged = { ...refused, console: kernels(guest) }

  const goodFrom = performance.now()
  const good = await startOrigin(network.inOrigin, spec)
  started.defer(good.stop)
  const secondsSoFar = (performance.now() - guest.machine.startedAt) / 1000
  const { signal } = new AbortController()
  const { event, bootId } = await waitUntilReady(guest.machine, guest.events, secondsSoFar + within, signal)
  const url = `http://${place.address}:${PROVIDER_PORT}`
  return {
    damaged,
    good: {
      providerUrl: event.record.provider.url,
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

/** Waits for a failed fetch and for the end of the attempt that it belongs to: only then could no kexec follow any more. */
async function waitUntilRefused({ machine, events: reported }: Guest, seconds: number) {
  const deadline = machine.startedAt + seconds * 1000
  for (;;) {
    const events = reported.map(({ event }) => event)
    const at = events.findIndex((event) => event.type === 'step-failed' && event.step === 'fetch')
    const end = events.slice(at + 1).find((event) => event.type === 'not-ready')
    if (at >= 0 && end?.type === 'not-ready') return { failure: events[at] as StepFailed, gaveUp: end.reason }
    if (events.some(({ type }) => type === 'kexec')) throw new Error('it kexecs into the damaged set')
    const ended = machine.ended()
    if (ended) throw new Error(ended)
    if (performance.now() > deadline) {
      throw new Error(`no failed fetch within ${seconds} s; last report: ${JSON.stringify(events.at(-1))}`)
    }
    await sleep(LOOK_EVERY_MS)
  }
}

function kernels({ machine, events: reported }: Guest): Kernels {
  const { banners, commandLines, kexecAt } = consoleFacts(machine.lines)
  const saidKexec = kexecAt !== null || reported.some(({ event }) => event.type === 'kexec')
  return { banners: banners.length, commandLines, saidKexec }
}
