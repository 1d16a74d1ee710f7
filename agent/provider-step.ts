import { PlasmError } from '../service/errors.ts'
import { portInUse } from './plasmd-process.ts'
import { keeper } from './plasmd-words.ts'
import type { ServiceManager, ServiceOwner } from './service-owner.ts'

/** What a foreign plasmd is started with (plasmd-service.ts). */
const FOREIGN_OPTIONS = 'serve --artifacts --channel --arch --port --no-mdns --no-dht'

/** What a person does when the owner has given up; the agent never does. */
const START_AGAIN: Readonly<Record<ServiceManager, string>> = {
  systemd: 'systemctl reset-failed plasmd && systemctl start plasmd',
  openrc: 'rc-service plasmd start',
  agent: 'plasm-agent serve',
}

/** So many runs may end before it answers; then someone should know. */
const RUNS_ALLOWED = 2

/**
 * Waits until plasmd answers.
 * @param foreign whether it is somebody else's, which may not know the options it is started with
 * @throws PlasmError `port-in-use` (facts: `port`) | `plasmd-fails` (facts: `lastExit`, `restarts`, and `gaveUp` when its owner
 * does not try it again) | `stopped`
 */
export async function plasmdAnswers(
  owner: ServiceOwner,
  { port, foreign, stop }: { readonly port: number; readonly foreign: boolean; readonly stop: AbortSignal },
): Promise<void> {
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
    if (state === 'failed') {
      throw new PlasmError(
        'plasmd-fails',
        `${keeper(owner.managedBy)} has given up on plasmd: ${lastExit ?? 'it does not say why'}`,
        {
          facts: { lastExit, restarts, foreign, gaveUp: true },
          hint: `read \`plasm-agent logs plasmd\`, then: ${START_AGAIN[owner.managedBy]}`,
        },
      )
    }
    if (state === 'backoff' && restarts - before + 1 >= RUNS_ALLOWED) {
      const which = foreign ? 'the foreign plasmd' : 'plasmd'
      throw new PlasmError('plasmd-fails', `${which} ends before it answers: ${lastExit}`, {
        facts: { lastExit, restarts, foreign },
        hint: `read \`plasm-agent logs plasmd\`${foreign ? `; it must take ${FOREIGN_OPTIONS}` : ''}; plasmd is tried again by itself`,
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
