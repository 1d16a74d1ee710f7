import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentEvent, Report, TimedEvent } from '../../../agent/events.ts'
import { createReporter } from '../../../agent/report.ts'
import { enqueue } from '../../../agent/report-queue.ts'
import { sequenceOf } from '../../../agent/report-sequence.ts'

const progress = (bytes: number): AgentEvent => ({ type: 'progress', step: 'fetch', bytes, totalBytes: 100 })
const started = (step: 'fetch' | 'rank'): AgentEvent => ({ type: 'step-started', stage: 'fetch', step })
const queueOf = (events: readonly AgentEvent[], limit = 3) =>
  events.reduce<readonly TimedEvent[]>((queue, event) => enqueue(queue, { event, uptime: 0 }, limit), [])
const whatOf = (queue: readonly TimedEvent[]) =>
  queue.map(({ event }) => (event.type === 'progress' ? event.bytes : event.type))

test('of progress that follows progress only the last is kept', () => {
  assert.deepEqual(whatOf(queueOf([started('fetch'), progress(1), progress(2), progress(3)])), ['step-started', 3])
})

test('a full queue gives up progress first, then its oldest', () => {
  const full = [started('fetch'), progress(1), started('rank'), started('rank')]
  assert.deepEqual(whatOf(queueOf(full)), ['step-started', 'step-started', 'step-started'])
  const newest: AgentEvent = { type: 'not-ready', reason: 'x' }
  assert.deepEqual(whatOf(queueOf([...full, newest])), ['step-started', 'step-started', 'not-ready'])
})

test('numbers go on within a boot id, and start anew in the next boot', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-seq-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'seq')
  const first = sequenceOf('boot-a', file)
  assert.deepEqual([first(), first()], [0, 1])
  assert.equal(sequenceOf('boot-a', file)(), 2)
  assert.equal(sequenceOf('boot-b', file)(), 0)
  assert.equal(sequenceOf('boot-b', join(directory, 'no', 'such', 'directory'))(), 0)
})

const nobody = { token: null, runId: null, machine: 'm', peerId: null, bootId: 'b', sequenceFile: '/nonexistent/seq' }

test('without a URL nothing is reported', async () => {
  const reporter = createReporter({ url: null, ...nobody })
  reporter.sink(progress(1))
  await reporter.flush(1000)
  assert.equal(reporter.lastReport(), null)
})

test('a report that is refused is not sent again, and those after it are', async (t) => {
  const seen: string[] = []
  const server = createServer(async (request, response) => {
    const { events } = JSON.parse(String(Buffer.concat(await request.toArray()))) as Report
    seen.push(events.map(({ event }) => event.type).join(' '))
    response.writeHead(events[0]?.event.type === 'progress' ? 401 : 204).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const said: string[] = []
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const reporter = createReporter({ url, ...nobody, say: (line) => said.push(line) })
  reporter.sink(progress(1))
  await reporter.flush(5000)
  reporter.sink(started('rank'))
  await reporter.flush(5000)
  assert.deepEqual(seen, ['progress', 'step-started'])
  assert.equal(reporter.lastReport()?.delivered, true)
  assert.match(said[0]!, /401/)
})

test('flush gives up in time when nobody answers', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`
  const reporter = createReporter({ url, ...nobody, say: () => {} })
  reporter.sink(started('rank'))
  const before = performance.now()
  await reporter.flush(200)
  assert.ok(performance.now() - before < 1000)
  silent.closeAllConnections()
  silent.close()
})

test('events gather into one report; what somebody waits for is posted at once, with what came before it', async (t) => {
  const reports: Report[] = []
  const server = createServer(async (request, response) => {
    reports.push(JSON.parse(String(Buffer.concat(await request.toArray()))) as Report)
    response.writeHead(204).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const reporter = createReporter({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ...nobody })
  reporter.sink(started('fetch'))
  await sleep(200)
  assert.equal(reports.length, 0)
  reporter.sink(started('rank'))
  reporter.sink({ type: 'not-ready', reason: 'x' })
  while (reports.length === 0) await sleep(10)
  reporter.sink(started('rank'))
  await reporter.flush(5000)
  const types = reports.map(({ seq, events }) => [seq, ...events.map(({ event }) => event.type)])
  assert.deepEqual(types, [
    [0, 'step-started', 'step-started', 'not-ready'],
    [1, 'step-started'],
  ])
})
