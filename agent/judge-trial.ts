import type { Stage } from './events.ts'
import type { Trial, Trials } from './trial-file.ts'

/** What is known of this boot when a trial is judged. */
export interface ThisBoot {
  readonly stage: Stage
  /** /proc/sys/kernel/random/boot_id */
  readonly bootId: string
  /** `plasm.boot=` of this kernel. */
  readonly bootNonce: string | null
  /** Since this kernel's start. */
  readonly uptimeMs: number
}

export type TrialVerdict =
  | { readonly is: 'none' }
  /** The kernel that should have been started for it never was, and this is the one before it. */
  | { readonly is: 'not-begun' }
  /** This kernel was started for it, and has so long to become ready. */
  | { readonly is: 'running'; readonly trial: Trial; readonly leftMs: number }
  /** `here`: in its own kernel, which still runs. */
  | { readonly is: 'failed'; readonly trial: Trial; readonly reason: string; readonly here: boolean }

type Failed = TrialVerdict & { readonly is: 'failed' }

/**
 * What has become of a trial: pure, so that a table can show every case. Ready removes the marker, so one that is found
 * anywhere but in its own boot is that of a set that did not become ready.
 */
export function judgeTrial({ trial }: Trials, { stage, bootId, bootNonce, uptimeMs }: ThisBoot): TrialVerdict {
  if (trial === null) return { is: 'none' }
  // The fetch stage runs in a kernel that was not started by kexec: the trial's is gone, by a reset or with the power.
  if (stage === 'fetch')
    return { is: 'failed', trial, reason: 'reset or switched off before it was ready', here: false }
  if (bootId === trial.fromBootId) return { is: 'not-begun' }
  if (bootNonce !== trial.nonce) return { is: 'failed', trial, reason: 'left before it was ready', here: false }
  const leftMs = trial.withinMs - uptimeMs
  if (leftMs > 0) return { is: 'running', trial, leftMs }
  return { is: 'failed', trial, reason: notReadyWithin(trial), here: true }
}

export const notReadyWithin = ({ withinMs }: Trial) => `not ready within ${withinMs / 1000} s`

/**
 * The set is never taken again. Its marker stays until another kernel runs: an agent that is started again in this one falls
 * back once more.
 */
export function withBad(trials: Trials, { trial, reason, here }: Failed, now: Date): Trials {
  const { digest } = trial
  const known = trials.bad.some((one) => one.digest === digest)
  const bad = known ? trials.bad : [...trials.bad, { digest, at: now.toISOString(), reason }]
  return { trial: here ? trial : null, bad }
}
