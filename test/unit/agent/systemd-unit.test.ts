import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { lastEnd, readShown, unitPhase } from '../../../agent/systemd-unit.ts'

const RUNNING = `MainPID=412
NRestarts=2
Result=success
ExecMainStartTimestamp=@1795613400
ActiveState=active
SubState=running
`

test('what systemctl show prints of a unit that runs', () => {
  assert.deepEqual(readShown(RUNNING), {
    active: 'active',
    sub: 'running',
    pid: 412,
    restarts: 2,
    result: 'success',
    startedAt: '2026-11-25T13:30:00.000Z',
  })
})

test('a unit that was never started has no process and no time', () => {
  const shown = readShown(
    'MainPID=0\nNRestarts=0\nResult=success\nExecMainStartTimestamp=\nActiveState=inactive\nSubState=dead\n',
  )
  assert.deepEqual([shown.pid, shown.startedAt, shown.restarts], [null, null, 0])
  assert.equal(unitPhase(shown, false), 'stopped')
})

const PHASES: ReadonlyArray<readonly [active: string, sub: string, answers: boolean, phase: string]> = [
  ['active', 'running', true, 'running'],
  ['active', 'running', false, 'starting'],
  ['activating', 'start', false, 'starting'],
  ['activating', 'auto-restart', false, 'backoff'],
  ['failed', 'failed', false, 'failed'],
  ['inactive', 'dead', false, 'stopped'],
  ['deactivating', 'stop-sigterm', false, 'stopped'],
]
for (const [active, sub, answers, phase] of PHASES) {
  test(`${active} (${sub})${answers ? ' that answers' : ''} is ${phase}`, () => {
    assert.equal(unitPhase({ ...readShown(''), active, sub }, answers), phase)
  })
}

const ENDS: ReadonlyArray<readonly [left: string, told: string]> = [
  ['exit-code exited 69', 'exit code 69'],
  ['signal killed KILL', 'killed by SIGKILL'],
  ['oom-kill killed KILL', 'killed by SIGKILL (out of memory)'],
  ['timeout killed KILL', 'killed by SIGKILL (it did not start or stop in time)'],
  ['core-dump dumped ABRT', 'killed by SIGABRT'],
]
test('how it ended, as ExecStopPost leaves it', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'ended-'))
  t.after(() => rm(dir, { recursive: true }))
  const file = join(dir, 'plasmd.ended')
  assert.equal(lastEnd(file), null)
  for (const [left, told] of ENDS) {
    await writeFile(file, `${left}\n`)
    assert.equal(lastEnd(file), told)
  }
})
