import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentEvent } from '../agent/events.ts'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import type { Machine } from './machine.ts'
import type { Accelerator } from './qemu-args.ts'
import type { Received } from './report-server.ts'

const LOOK_EVERY_MS = 20
const HARDWARE_SECONDS = 90
const EMULATED_SECONDS: Readonly<Record<Arch, number>> = { x86_64: 180, arm64: 300 }

export type ReadyEvent = Extract<AgentEvent, { type: 'ready' }>

export interface Ready {
  readonly at: number
  readonly bootId: string
  readonly event: ReadyEvent
}

export function readyWithinSeconds(accel: Accelerator, arch: Arch): number {
  return accel === 'tcg' ? EMULATED_SECONDS[arch] : HARDWARE_SECONDS
}

/**
 * Waits for a machine's verified report that it is ready; looks first whether the machine still lives.
 * @param events grows while this waits
 * @throws PlasmError `machine-died` | `machine-reset` | `not-ready-in-time` (facts: `machine`, `step`)
 */
export async function waitUntilReady(
  machine: Machine,
  events: readonly Received[],
  seconds: number,
  signal: AbortSignal,
): Promise<Ready> {
  const deadline = machine.startedAt + seconds * 1000
  for (;;) {
    const ended = machine.ended()
    if (ended) throw failed('machine-died', ended)
    if (machine.resets() > 0) throw failed('machine-reset', 'it was reset, which a kexec is not; its kernel panicked?')
    const ready = events.map(asReady).find((found) => found !== undefined)
    if (ready) return ready
    if (performance.now() > deadline) throw failed('not-ready-in-time', `it was not ready within ${seconds} s`)
    await sleep(LOOK_EVERY_MS, undefined, { signal })
  }

  function failed(code: string, what: string): PlasmError {
    const step = lastStep(events)
    const failure = lastFailure(events)
    return new PlasmError(code, `${machine.name}: ${what}${failure ? `; it last said: ${failure}` : ''}`, {
      facts: { machine: machine.name, step: step ?? 'firmware' },
      hint: `read its console, ${machine.consoleLog}${step ? `; its last step was ${step}` : ', since it never reported'}`,
    })
  }
}

function asReady({ at, bootId, event }: Received): Ready | undefined {
  return event.type === 'ready' ? { at, bootId, event } : undefined
}

function lastStep(events: readonly Received[]): string | undefined {
  const steps = events.flatMap(({ event }) => ('step' in event ? [event.step] : []))
  return steps.at(-1)
}

function lastFailure(events: readonly Received[]): string | undefined {
  const failures = events.flatMap(({ event }) => (event.type === 'step-failed' ? [event] : []))
  const last = failures.at(-1)
  return last && `${last.step} failed: ${last.error.message} [${last.error.code}]`
}
