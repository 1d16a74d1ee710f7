import type { AgentConfig } from './config.ts'
import { remember } from './freshness-file.ts'
import { notReadyWithin, withBad } from './judge-trial.ts'
import type { StoredSet } from './publish.ts'
import type { ServeSetting } from './serve-setting.ts'
import { settleTrial } from './settle-trial.ts'
import { readTrials, type Trial, writeTrials } from './trial-file.ts'

/** The set that this kernel was started for, until it has shown that it becomes ready. */
export interface TrialWatch {
  /** Aborted when it has not become ready in time. */
  readonly overdue: AbortSignal
  /** Undefined where there is none, or none any more. */
  pending(): Trial | undefined
  /** This machine is ready with this set. */
  ready(set: StoredSet): Promise<void>
  /** Remembers that it failed. */
  fail(trial: Trial): Promise<void>
  stop(): void
}

/** @throws PlasmError `freshness-state-invalid` */
export async function watchTrial(
  { stateDirectory, rolling }: Pick<ServeSetting, 'stateDirectory' | 'rolling'>,
  { storeRoot, bootNonce, mode }: Pick<AgentConfig, 'storeRoot' | 'bootNonce' | 'mode'>,
): Promise<TrialWatch> {
  const overdue = new AbortController()
  // In private mode this machine looks at nothing that it remembers.
  const verdict =
    mode === 'private'
      ? ({ is: 'none' } as const)
      : await settleTrial(stateDirectory, storeRoot, {
          stage: 'serve',
          bootId: rolling.bootId(),
          bootNonce,
          uptimeMs: rolling.uptimeMs(),
        })
  let trial = verdict.is === 'running' || (verdict.is === 'failed' && verdict.here) ? verdict.trial : undefined
  const leftMs = verdict.is === 'running' ? verdict.leftMs : 0
  const timer = trial && setTimeout(() => overdue.abort(), leftMs)
  return {
    overdue: overdue.signal,
    pending: () => trial,
    async ready({ verified }) {
      if (trial?.digest !== verified.digest || overdue.signal.aborted) return
      clearTimeout(timer)
      trial = undefined
      await writeTrials(stateDirectory, { ...(await readTrials(stateDirectory)), trial: null })
      await remember(stateDirectory, verified)
    },
    async fail(trial) {
      const trials = await readTrials(stateDirectory)
      const verdict = { is: 'failed', trial, reason: notReadyWithin(trial), here: true } as const
      await writeTrials(stateDirectory, withBad(trials, verdict, new Date()))
    },
    stop: () => clearTimeout(timer),
  }
}
