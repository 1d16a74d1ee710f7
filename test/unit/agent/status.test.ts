import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { age } from '../../../agent/age.ts'
import { exitCodeOf, findStatus } from '../../../agent/status.ts'
import type { Status } from '../../../agent/status-file.ts'
import { statusScreen } from '../../../agent/status-view.ts'
import { update } from '../../../agent/update-command.ts'

const digest = (byte: string) => `sha256:${byte.repeat(32)}`
const NOW = Date.parse('2026-01-01T00:02:05Z')

const READY: Status = {
  version: 1,
  agent: { version: '0.1.0', commit: 'abc1234', pid: process.pid, startedAt: '2026-01-01T00:00:00Z' },
  machine: 'plasm-00a1b2',
  addresses: ['192.0.2.3', 'fe80::5054:ff:fe77:1%eth0'],
  runId: null,
  peerId: '12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7',
  lineage: [],
  bootId: 'b',
  stage: 'serve',
  step: 'watch',
  ready: true,
  notReadyBecause: null,
  record: {
    version: 1,
    runId: null,
    machine: 'plasm-00a1b2',
    peerId: null,
    generation: 2,
    provider: {
      url: 'http://192.0.2.2:8080',
      name: 'plasm-aabbcc',
      generation: 1,
      discoveredBy: 'mdns',
      peerId: null,
      provenBy: null,
    },
    set: {
      manifestDigest: digest('ab'),
      channel: 'stable',
      arch: 'x86_64',
      version: '0.1.0',
      sequence: 12,
      bytes: 50e6,
      signedBy: [],
    },
    handover: 'carry',
    budget: { totalMiB: 480, availableMiB: 430, needMiB: 180, rootfsFreeMiB: 200, initrdMiB: 60, kernelMiB: 8 },
    lowestAvailableMiB: 130,
    fetchBootId: 'a',
    bootNonce: 'n',
    candidates: [],
    timings: [],
  },
  artifacts: [
    { role: 'kernel', filename: 'kernel', bytes: 8e6, hash: digest('01') },
    { role: 'initramfs', filename: 'initramfs', bytes: 42e6, hash: digest('02') },
  ],
  plasmd: {
    state: 'running',
    pid: 77,
    startedAt: '2026-01-01T00:00:10Z',
    nextStartAt: null,
    restarts: 1,
    lastExit: 'killed by SIGKILL',
    url: 'http://127.0.0.1:8080',
    bytesServed: 50e6,
    requests: 12,
    managedBy: 'agent',
    foreign: false,
  },
  advertising: true,
  updates: {
    lastLook: { at: '2026-01-01T00:01:05Z', found: 3, refused: [], error: null },
    newest: null,
    fetching: null,
    nextLookAt: '2026-01-01T00:06:05Z',
    answers: [],
    bad: [],
  },
  lastReport: { at: '2026-01-01T00:01:00Z', type: 'ready', delivered: true, error: null },
  lastError: null,
  memory: { totalMiB: 480, availableMiB: 300, lowestAvailableMiB: 130, budget: null },
  disk: { device: '/dev/vda', freeMiB: 1800, totalMiB: 1968, readOnly: false },
  updatedAt: '2026-01-01T00:02:00Z',
}

const NOT_READY: Status = {
  ...READY,
  addresses: [],
  ready: false,
  step: 'provider',
  notReadyBecause: 'plasmd cannot start: port 8080 is in use by another program [port-in-use]',
  record: null,
  artifacts: [],
  advertising: false,
  plasmd: {
    ...READY.plasmd!,
    ...{ state: 'backoff', nextStartAt: '2026-01-01T00:02:08.500Z' },
    ...{ pid: null, startedAt: null, bytesServed: null, requests: null },
  },
  lastError: {
    step: 'provider',
    code: 'port-in-use',
    message: 'plasmd cannot start: port 8080 is in use by another program',
    facts: {},
    hint: 'end the program that listens on port 8080, or set port in /etc/plasm/agent.toml; plasmd is tried again by itself',
  },
}

test('the screen of a ready machine', () => {
  assert.equal(
    statusScreen(READY, { colour: false, now: NOW }),
    `ready
machine      plasm-00a1b2, generation 2, advertised
addresses    192.0.2.3, fe80::5054:ff:fe77:1%eth0
booted from  http://192.0.2.2:8080 (plasm-aabbcc, generation 1, found by mdns;
             unproven)
peer id      12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7
set          stable/x86_64 0.1.0, sequence 12, sha256:abababababab
artifacts    kernel         7.6 MiB  sha256:010101010101
             initramfs     40.1 MiB  sha256:020202020202
handover     carry, 47.7 MiB
newer sets   none at 3 other providers; looked 1 min 0 s ago
plasmd       running, pid 77, up 1 min 55 s, 1 restart by the agent, last ended:
             killed by SIGKILL
             http://127.0.0.1:8080; served 47.7 MiB in 12 requests
memory       300 of 480 MiB available, lowest 130
disk         /dev/vda, 1800 of 1968 MiB free
last report  ready delivered, 1 min 5 s ago
agent        pid ${process.pid}, up 2 min 5 s, serve stage at watch, 0.1.0 (abc1234)
`,
  )
})

test('the screen of a machine that is not ready says why and what to do', () => {
  assert.equal(
    statusScreen(NOT_READY, { colour: false, now: NOW }),
    `not ready: plasmd cannot start: port 8080 is in use by another program
[port-in-use]
machine      plasm-00a1b2
addresses    none
peer id      12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7
set          none
plasmd       ended, is started again in 4 s, 1 restart by the agent, last ended:
             killed by SIGKILL
             http://127.0.0.1:8080
memory       300 of 480 MiB available, lowest 130
disk         /dev/vda, 1800 of 1968 MiB free
last report  ready delivered, 1 min 5 s ago
next         end the program that listens on port 8080, or set port in
             /etc/plasm/agent.toml; plasmd is tried again by itself
agent        pid ${process.pid}, up 2 min 5 s, serve stage at provider, 0.1.0 (abc1234)
`,
  )
})

test('who booted this machine is called what it is: proven by a receipt, and before that signed claims', () => {
  const [own, provider, origin] = ['A', 'B', 'C'].map((letter) => `12D3KooW${letter.repeat(44)}`) as [
    string,
    string,
    string,
  ]
  const record = READY.record!
  const proven = { ...record.provider, peerId: provider, provenBy: 'receipt' as const }
  const lineage = [
    { provider, client: own, bytes: 50e6 },
    { provider: origin, client: provider, bytes: 50e6 },
  ]
  const screen = statusScreen(
    { ...READY, peerId: own, lineage, record: { ...record, provider: proven } },
    { colour: false, now: NOW },
  )
  assert.ok(
    screen.includes(`
booted from  http://192.0.2.2:8080 (plasm-aabbcc, generation 1, found by mdns;
             proven by its receipt)
peer id      ${own}
lineage      signed claims: booted from
             ${provider} from
             ${origin}
set `),
    screen,
  )
})

test('no line is wider than 80 columns, and colour stands on the headline alone', () => {
  const long = { ...NOT_READY, notReadyBecause: 'word '.repeat(60).trim() }
  const lines = statusScreen(long, { colour: false, now: NOW }).split('\n')
  assert.ok(lines.every((line) => line.length <= 80))
  const coloured = statusScreen(READY, { colour: true, now: NOW }).split('\n')
  assert.deepEqual(
    coloured.map((line) => line.includes('\x1b')),
    coloured.map((_, at) => at === 0),
  )
})

test('ages', () => {
  const since = (seconds: number) => age(new Date(NOW - seconds * 1000).toISOString(), NOW)
  assert.deepEqual([0, 59, 60, 3600 + 600, 4 * 86_400 + 3 * 3600, -5].map(since), [
    '0 s',
    '59 s',
    '1 min 0 s',
    '1 h 10 min',
    '4 d 3 h',
    '0 s',
  ])
})

function statusFile(t: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'plasm-status-'))
  t.after(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'status.json'), text)
  return join(directory, 'status.json')
}

const exitOf = (file: string) => exitCodeOf(findStatus(file))

test('exit codes are LSB: 0 ready, 1 not ready, 3 not running, 4 unknown', (t) => {
  const gone = spawnSync('true').pid
  const dead = { ...READY, agent: { ...READY.agent, pid: gone } }
  assert.equal(exitOf(statusFile(t, JSON.stringify(READY))), 0)
  assert.equal(exitOf(statusFile(t, JSON.stringify(NOT_READY))), 1)
  assert.equal(exitOf('/nonexistent/status.json'), 3)
  assert.equal(exitOf(statusFile(t, JSON.stringify(dead))), 3)
  const ended = findStatus(statusFile(t, JSON.stringify(dead)))
  assert.match(ended.state === 'not-running' ? ended.hint : '', /plasm-agent logs says why it ended/)
  assert.equal(exitOf(statusFile(t, '{"version":2}')), 4)
  assert.equal(exitOf(statusFile(t, 'not JSON')), 4)
  assert.equal(exitOf('/'), 4)
})

const HOW_TO_LOOK = /npm run harness -- exec vm1 -- plasm-agent status/

test('where no image was booted and no agent ever ran it is said, and how to look inside a machine', (t) => {
  const directory = join(statusFile(t, 'not JSON'), '..')
  const [image, run] = [join(directory, 'etc'), join(directory, 'run')]
  const file = join(run, 'status.json')
  const found = () => findStatus(file, image)
  const onHost = found()
  assert.equal(exitCodeOf(onHost), 3)
  assert.match(onHost.state === 'read' ? '' : onHost.why, /not running: .*no machine that Phase Boot booted/)
  assert.match((onHost.state !== 'read' && onHost.hint) || '', HOW_TO_LOOK)
  mkdirSync(run)
  mkdirSync(image)
  assert.deepEqual(found(), onHost, 'empty directories make no machine')
  const before = {
    ...{ state: 'not-running', why: `not running: there is no ${file}` },
    hint: 'it is there from the serve stage on: in the fetch stage, ask plasm-agent why; else plasm-agent logs, or doctor',
  }
  writeFileSync(join(run, 'plasmd.args'), '')
  assert.deepEqual(found(), before, 'a machine whose agent has said nothing yet')
  rmSync(run, { recursive: true })
  mkdirSync(join(image, 'trust'))
  assert.deepEqual(found(), before, 'one where nothing has run yet')
})

test('update on a host says the same', { skip: existsSync('/etc/plasm') && 'this is a machine' }, async () => {
  const asked = update({ action: 'check', say() {}, statusFile: '/nonexistent/status.json' })
  await assert.rejects(asked, { code: 'agent-not-running', hint: HOW_TO_LOOK })
})
