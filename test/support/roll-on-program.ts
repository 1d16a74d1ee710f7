import { join } from 'node:path'
import { update } from '../../agent/update-command.ts'
import { makeSet } from './boot-set.ts'
import { makeServeMachine, until } from './serve-machine.ts'

/**
 * A machine in the serve stage, on the link that is there, serves sequence 1 and is asked what is newer, then to take it.
 * Prints {checked, applied, record} as JSON.
 */
const at = await makeServeMachine()
try {
  await at.handOver(makeSet({ sequence: 1 }))
  at.start({ recheckEvery: 200, onLink: true })
  await at.event('ready')
  await until('the status to say so', async () => (await at.status()).ready)
  const ask = (action: 'check' | 'apply') =>
    update({
      action,
      say: () => {},
      runDirectory: at.runDirectory,
      statusFile: join(at.runDirectory, 'status.json'),
    })
  const checked = await ask('check')
  const applied = await ask('apply')
  console.log(JSON.stringify({ checked, applied, record: (await at.status()).record }))
} finally {
  await at.remove()
}
