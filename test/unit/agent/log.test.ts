import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AgentEvent } from '../../../agent/events.ts'
import { createLog } from '../../../agent/log.ts'
import { openLogFile } from '../../../agent/log-file.ts'
import { eventLines } from '../../../agent/log-lines.ts'

const candidate = (verdict: 'found' | 'chosen' | 'rejected', reason?: string): AgentEvent => ({
  type: 'candidate',
  url: 'http://192.0.2.1:8080',
  source: 'mdns',
  generation: 1,
  verdict,
  ...(reason === undefined ? {} : { reason }),
})
const progress = (mib: number): AgentEvent => ({
  type: 'progress',
  step: 'fetch',
  bytes: mib * 1024 * 1024,
  totalBytes: 41 * 1024 * 1024,
})

test('the console has one short line for what matters', () => {
  let now = 0
  const lines = eventLines({ program: 'plasm-agent', colour: false }, () => now)
  const line = (event: AgentEvent) => lines.ofEvent(event)
  assert.equal(line({ type: 'step-started', stage: 'fetch', step: 'discover' }), undefined)
  assert.equal(
    line({ type: 'step-done', stage: 'fetch', step: 'discover', milliseconds: 12 }),
    'plasm-agent: discover 12 ms',
  )
  assert.equal(
    line(candidate('rejected', 'wrong channel')),
    'plasm-agent: rejected http://192.0.2.1:8080 (mdns, generation 1): wrong channel',
  )
  line(candidate('chosen'))
  assert.equal(line(progress(12.3)), 'plasm-agent: fetch 12.3 of 41.0 MiB from http://192.0.2.1:8080')
  now = 2999
  assert.equal(line(progress(20)), undefined)
  now = 3000
  assert.match(line(progress(20))!, /20\.0 of 41\.0/)
})

test('what comes from the network cannot move the cursor', () => {
  const lines = eventLines({ program: 'p', colour: false })
  assert.equal(
    lines.ofEvent(candidate('rejected', 'a\x1b[2J\r\nplasm: ready')),
    'p: rejected http://192.0.2.1:8080 (mdns, generation 1): a [2J plasm: ready',
  )
})

test('the file has every event as JSON, and a file that cannot be had stops nothing', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'plasm-log-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const printed: string[] = []
  const console = { write: (text: string) => printed.push(text) }
  const log = createLog('plasm-agent', { file: join(directory, 'sub', 'agent.log'), console })
  log.sink({ type: 'step-started', stage: 'serve', step: 'adopt' })
  log.say('hello', { code: 'x' })
  const entries = readFileSync(join(directory, 'sub', 'agent.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(entries[0].event.step, 'adopt')
  assert.equal(entries[1].code, 'x')
  assert.deepEqual(printed, ['plasm-agent: hello\n'])
  createLog('plasm-agent', { file: '/dev/null/agent.log', console }).say('still here')
  assert.equal(printed.at(-1), 'plasm-agent: still here\n')
})

test('a log file has a bound', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'plasm-log-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'log')
  const log = openLogFile(file, 1000)
  for (let i = 0; i < 100; i++) log.write(`${'x'.repeat(99)}\n`)
  assert.ok(statSync(file).size <= 1200)
  assert.ok(statSync(`${file}.1`).size <= 1200)
})
