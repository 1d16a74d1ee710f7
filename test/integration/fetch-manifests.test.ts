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
