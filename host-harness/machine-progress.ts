import type { AgentEvent } from '../agent/events.ts'
import type { Emit, MachineProgress } from './chain-spec.ts'
import { doingOf } from './console.ts'

/** Turns what a machine's console and reports say into one line of progress. */
export interface ProgressTeller {
  ofLine(text: string): void
  ofEvent(event: AgentEvent): void
  state(state: MachineProgress['state'], doing: string): void
}

export function tellProgress(name: string, emit: Emit, startedAt: number = performance.now()): ProgressTeller {
  const tell = (progress: Omit<MachineProgress, 'seconds'>) =>
    emit({ type: 'machine', name, progress: { ...progress, seconds: (performance.now() - startedAt) / 1000 } })
  // Once the harness has said what became of a machine, its own steps say no more about it.
  let settled = false
  const running = (doing: string) => {
    if (!settled) tell({ state: 'running', doing })
  }
  return {
    state(state, doing) {
      settled = state !== 'running'
      tell({ state, doing })
    },
    ofLine(text) {
      const doing = doingOf(text)
      if (doing) running(doing)
    },
    ofEvent(event) {
      switch (event.type) {
        case 'step-started':
          return running(event.step)
        case 'progress':
          return tell({ state: 'running', doing: event.step, bytes: event.bytes, totalBytes: event.totalBytes })
        case 'step-failed': {
          const { code, message, hint } = event.error
          const blame = event.provider ? ` (provider ${event.provider})` : ''
          return emit({
            type: 'say',
            text: `${name}: ${event.step} failed: ${message} [${code}]${blame}${hint ? `; ${hint}` : ''}`,
          })
        }
        case 'candidate':
          if (event.verdict === 'rejected') {
            emit({ type: 'say', text: `${name}: rejected ${event.url}: ${event.reason ?? 'no reason given'}` })
          }
          return
        case 'not-ready':
          return running(`not ready: ${event.reason}`)
        case 'stage-started':
        case 'step-done':
        case 'step-skipped':
        case 'network-up':
        case 'kexec':
        case 'ready':
          return
      }
    },
  }
}
