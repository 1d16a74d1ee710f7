import { PlasmError } from '../service/errors.ts'
import { portInUse } from './plasmd-process.ts'
import type { ServiceOwner } from './service-owner.ts'

/** So many runs may end before it answers; then someone should know. */
const RUNS_ALLOWED = 2

/**
 * Waits until plasmd answers.
 * @throws PlasmError `port-in-use` (facts: `port`) | `plasmd-fails` (facts: `lastExit`, `restarts`) | `stopped`
 */
export async function plasmdAnswers(owner: ServiceOwner, port: number, stop: AbortSignal): Promise<void> {
  owner.start()
  const before = owner.view().restarts
  for (;;) {
    const { state, lastExit, restarts } = owner.view()
    if (stop.aborted) throw new PlasmError('stopped', 'the agent was asked to stop')
    if (state === 'running') return
    if (state === 'backoff' && lastExit === portInUse(port)) {
      throw new PlasmError('port-in-use', `plasmd cannot start: ${lastExit}`, {
        facts: { port },
        hint: `end the program that listens on port ${port}, or set port in /etc/plasm/agent.toml; plasmd is tried again by itself`,
      })
    }
    if (state === 'backoff' && restarts - before + 1 >= RUNS_ALLOWED) {
      throw new PlasmError('plasmd-fails', `plasmd ends before it answers: ${lastExit}`, {
        facts: { lastExit, restarts },
        hint: 'read /run/plasm/plasmd.log; plasmd is tried again by itself',
      })
    }
    await nextChange(owner, stop)
  }
}

function nextChange(owner: ServiceOwner, stop: AbortSignal): Promise<void> {
  return new Promise((changed) => {
    const end = () => {
      unsubscribe()
      stop.removeEventListener('abort', end)
      changed()
    }
    const unsubscribe = owner.onChange(end)
    stop.addEventListener('abort', end)
  })
}
