import { asPlasmError } from '../service/errors.ts'
import type { StepTiming } from './boot-record.ts'
import type { AgentEvent, ReportedError, Stage, StepName } from './events.ts'

/** Something that wants to know what happens: the log, the reporter, the status file. Must not throw and must not block. */
export type EventSink = (event: AgentEvent) => void

/** Runs steps by name: times, announces and reports each in one place, so that steps do none of it. */
export interface StepRunner {
  readonly stage: Stage
  /**
   * Runs one step. A failure is announced and thrown on as the same error. Work that finds out that there is nothing to do
   * says so by `leaveOut`: the step counts as skipped.
   */
  step<T>(
    name: StepName,
    work: (leaveOut: (reason: string) => void) => T | Promise<T>,
    about?: { readonly provider?: string },
  ): Promise<T>
  /** Says that a step is left out, and why. */
  skip(name: StepName, reason: string): void
  /** An event from inside a step (a candidate, progress). */
  emit(event: AgentEvent): void
  /** What ran so far, in order. */
  timings(): readonly StepTiming[]
}

export function createStepRunner(stage: Stage, sinks: readonly EventSink[]): StepRunner {
  const timings: StepTiming[] = []
  const emit = (event: AgentEvent) => {
    for (const sink of sinks) sink(event)
  }
  const record = (step: StepName, milliseconds: number, outcome: StepTiming['outcome']) =>
    timings.push({ step, milliseconds: Math.round(milliseconds), outcome })
  return {
    stage,
    emit,
    timings: () => [...timings],
    skip(step, reason) {
      record(step, 0, 'skipped')
      emit({ type: 'step-skipped', stage, step, reason })
    },
    async step(step, work, about = {}) {
      emit({ type: 'step-started', stage, step })
      const startedAt = performance.now()
      try {
        let reason: string | undefined
        const product = await work((why) => {
          reason = why
        })
        const milliseconds = performance.now() - startedAt
        if (reason !== undefined) {
          record(step, milliseconds, 'skipped')
          emit({ type: 'step-skipped', stage, step, reason })
          return product
        }
        record(step, milliseconds, 'done')
        emit({ type: 'step-done', stage, step, milliseconds: Math.round(milliseconds) })
        return product
      } catch (thrown) {
        const milliseconds = performance.now() - startedAt
        record(step, milliseconds, 'failed')
        const error = reportedError(thrown)
        emit({ type: 'step-failed', stage, step, milliseconds: Math.round(milliseconds), error, ...about })
        throw thrown
      }
    },
  }
}

/** An error as it is reported and shown in status: facts only, no stack. */
export function reportedError(thrown: unknown): ReportedError {
  const { code, message, facts, hint } = asPlasmError(thrown)
  return { code, message, facts, ...(hint === undefined ? {} : { hint }) }
}
