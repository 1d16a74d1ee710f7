import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plasmdLost } from '../../../agent/plasmd-words.ts'

const KILLED = 'killed by SIGKILL'

for (const [state, lastExit, managedBy, words] of [
  ['backoff', KILLED, 'agent', 'plasmd ended (killed by SIGKILL); the agent starts it again'],
  ['backoff', null, 'systemd', 'plasmd ended; systemd starts it again'],
  ['starting', KILLED, 'openrc', 'plasmd ended (killed by SIGKILL); another one is starting'],
  ['hung', KILLED, 'agent', 'plasmd has hung, and is killed and started again'],
  ['failed', KILLED, 'systemd', 'systemd has given up on plasmd (killed by SIGKILL)'],
  ['stopped', null, 'agent', 'plasmd was stopped'],
] as const) {
  test(`a plasmd that is ${state} under ${managedBy} is no state of a program for who reads it`, () => {
    assert.equal(plasmdLost({ state, lastExit }, managedBy), words)
  })
}
