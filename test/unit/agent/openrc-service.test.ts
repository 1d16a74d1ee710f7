import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { capLog } from '../../../agent/cap-log.ts'
import { openrcPhase, openrcRuns, readService } from '../../../agent/openrc-service.ts'

/** Files as OpenRC 0.45 lays them out. @returns the places that they are in */
async function openrc(t: TestContext, files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), 'openrc-'))
  t.after(() => rm(root, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text.replace('ROOT', root))
  }
  return { services: join(root, 'openrc'), scripts: join(root, 'init.d'), proc: join(root, 'proc') }
}

const VALUES = {
  'openrc/options/plasmd/child_pid': '101',
  'openrc/options/plasmd/pidfile': 'ROOT/plasmd.pid',
  'openrc/options/plasmd/start_time': '2026-11-25 13:57:39',
  'plasmd.pid': '100\n',
}
const SUPERVISOR = { 'proc/100/cmdline': 'supervise-daemon\0plasmd\0--start\0' }
const CHILD = { 'proc/101/cmdline': 'plasmd\0serve\0' }
const STARTED = { 'openrc/started/plasmd': '' }

const CASES = {
  'one that runs': { files: { ...VALUES, ...SUPERVISOR, ...CHILD, ...STARTED }, state: 'running', pids: [100, 101] },
  'one that waits for its next start': {
    files: { ...VALUES, ...SUPERVISOR, ...STARTED },
    state: 'backoff',
    pids: [100, null],
  },
  'one whose pid is somebody else’s now': {
    files: { ...VALUES, ...SUPERVISOR, ...STARTED, 'proc/101/cmdline': 'getty\0' },
    state: 'backoff',
    pids: [100, null],
  },
  'one whose supervisor was killed': {
    files: { ...VALUES, ...CHILD, ...STARTED },
    state: 'running',
    pids: [null, 101],
  },
  'one that OpenRC has given up on': { files: { 'openrc/failed/plasmd': '' }, state: 'failed', pids: [null, null] },
  'one that is being started': { files: { 'openrc/starting/plasmd': '' }, state: 'starting', pids: [null, null] },
  'one that was started again after it had failed': {
    files: { ...VALUES, ...SUPERVISOR, ...CHILD, ...STARTED, 'openrc/failed/plasmd': '' },
    state: 'running',
    pids: [100, 101],
  },
  'one that nobody has started': { files: {}, state: 'stopped', pids: [null, null] },
} as const

for (const [name, { files, state, pids }] of Object.entries(CASES)) {
  test(`OpenRC says of a service: ${name}`, async (t) => {
    const service = readService('plasmd', await openrc(t, files))
    assert.equal(openrcPhase(service, true), state)
    assert.deepEqual([service.supervisor, service.child], pids)
  })
}

test('its start time is one of this time zone, and it starts until it answers', async (t) => {
  const service = readService('plasmd', await openrc(t, { ...VALUES, ...SUPERVISOR, ...CHILD, ...STARTED }))
  assert.equal(service.startedAt, new Date(2026, 10, 25, 13, 57, 39).toISOString())
  assert.equal(openrcPhase(service, false), 'starting')
})

test('OpenRC owns plasmd where it booted, started this agent, and supervises plasmd', async (t) => {
  const script = await readFile(new URL('../../../init/openrc/plasmd', import.meta.url), 'utf8')
  const lsb = await readFile(new URL('../../../init/init.d/plasmd', import.meta.url), 'utf8')
  const booted = { 'openrc/softlevel': 'default\n' }
  const byOpenrc = { RC_SVCNAME: 'plasm-agent' }
  assert.equal(openrcRuns(byOpenrc, await openrc(t, { ...booted, 'init.d/plasmd': script })), true)
  assert.equal(openrcRuns({}, await openrc(t, { ...booted, 'init.d/plasmd': script })), false)
  assert.equal(openrcRuns(byOpenrc, await openrc(t, { ...booted, 'init.d/plasmd': lsb })), false)
  assert.equal(openrcRuns(byOpenrc, await openrc(t, booted)), false)
  assert.equal(openrcRuns(byOpenrc, await openrc(t, { 'init.d/plasmd': script })), false)
})

test('a log that another program appends to is cut when it is large, and kept once', async (t) => {
  const { services } = await openrc(t, { 'openrc/log': 'a line\n' })
  const file = join(services, 'log')
  capLog(file, 7)
  assert.equal(await readFile(file, 'utf8'), 'a line\n')
  capLog(file, 6)
  assert.equal((await stat(file)).size, 0)
  assert.equal(await readFile(`${file}.1`, 'utf8'), 'a line\n')
  capLog(join(services, 'none'), 6)
})
