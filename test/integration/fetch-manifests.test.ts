import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Candidate } from '../../agent/candidate.ts'
import { createManifestAsker, type ManifestAnswer } from '../../agent/fetch-manifests.ts'
import { hostArch } from '../../service/arch.ts'

const PLACE = { channel: 'stable', arch: hostArch() } as const
const TIMING = { wholeMs: 1_500, othersMs: 400 }

/** A provider on loopback, as discovery would have found it. */
async function candidate(t: TestContext, answer: RequestListener): Promise<Candidate> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, source: 'mdns', name: null, generation: 0 }
}

/** Never silent for as long as a pause may be, and never done. */
const trickling: RequestListener = (_, response) => {
  const timer = setInterval(() => response.write(' '), 100)
  response.once('close', () => clearInterval(timer))
}

async function ask(candidates: readonly Candidate[]) {
  const since = performance.now()
  const answers = await createManifestAsker(PLACE, { keys: [] }, TIMING).answers(candidates)
  return { answers, milliseconds: performance.now() - since }
}

const said = (answer: ManifestAnswer | undefined) =>
  answer && 'raw' in answer ? String(answer.raw.bytes) : answer?.error.message

test('a provider that gives a byte now and then holds up nobody who boots from another', async (t) => {
  const slow = await candidate(t, trickling)
  const good = await candidate(t, (_, response) => response.end('{}'))
  const { answers, milliseconds } = await ask([slow, good])
  assert.deepEqual(answers.map(said), [`${slow.url}: no whole manifest within 0.4 s`, '{}'])
  assert.ok(milliseconds < 1_200, `${milliseconds} ms`)
})

test('where nobody else answers it is given up, too', async (t) => {
  const slow = await candidate(t, trickling)
  const { answers, milliseconds } = await ask([slow])
  assert.deepEqual(answers.map(said), [`${slow.url}: no whole manifest within 1.5 s`])
  assert.ok(milliseconds < 3_000, `${milliseconds} ms`)
})

test('one that takes longer than the others is waited for a little', async (t) => {
  const good = await candidate(t, (_, response) => response.end('{}'))
  const later = await candidate(t, (_, response) => void setTimeout(() => response.end('{"later":1}'), 200))
  const { answers } = await ask([good, later])
  assert.deepEqual(answers.map(said), ['{}', '{"later":1}'])
})

test('a provider that cannot be asked at one of its addresses is asked at the next, and is there from then on', async (t) => {
  const there = await candidate(t, (_, response) => response.end('{}'))
  const { port } = new URL(there.url)
  const first = { ...there, url: `http://127.0.0.9:${port}` }
  const { answers } = await ask([{ ...first, also: ['127.0.0.8', '127.0.0.1'] }])
  assert.deepEqual(answers.map(said), ['{}'])
  assert.deepEqual([answers[0]?.candidate.url, answers[0]?.candidate.reach], [first.url, '127.0.0.1'])
  const { answers: nowhere } = await ask([{ ...first, also: ['127.0.0.8'] }])
  assert.match(said(nowhere[0]) ?? '', /ECONNREFUSED/)
})

test('one that answers at its first address is asked there alone', async (t) => {
  let asked = 0
  const there = await candidate(t, (_, response) => {
    asked += 1
    response.writeHead(404).end()
  })
  const { answers } = await ask([{ ...there, also: ['127.0.0.1', '127.0.0.1'] }])
  assert.match(said(answers[0]) ?? '', /answered 404/)
  assert.equal(asked, 1)
})
