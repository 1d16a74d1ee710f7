import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { logs } from '../../../agent/logs.ts'

async function directory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-logs-'))
  t.after(() => rm(dir, { recursive: true }))
  return dir
}

async function lastOf(runDirectory: string, lines: number): Promise<string> {
  let said = ''
  const print = (text: string) => {
    said += text
  }
  await logs({ name: 'plasmd', lines, runDirectory, print })
  return said
}

test('the last lines, and those of the file before where this one has too few', async (t) => {
  const dir = await directory(t)
  await writeFile(join(dir, 'plasmd.log.1'), '1\n2\n')
  await writeFile(join(dir, 'plasmd.log'), '3\n4\n')
  assert.equal(await lastOf(dir, 1), '4\n')
  assert.equal(await lastOf(dir, 3), '2\n3\n4\n')
  assert.equal(await lastOf(dir, 99), '1\n2\n3\n4\n')
  assert.equal(await lastOf(dir, 0), '')
})

test('a log that is not there is named', async (t) => {
  const dir = await directory(t)
  await assert.rejects(lastOf(dir, 1), { code: 'log-missing', facts: { file: join(dir, 'plasmd.log') } })
})

test('following it loses nothing when the log is rotated', async (t) => {
  const dir = await directory(t)
  const file = join(dir, 'agent.log')
  await writeFile(file, 'a\n')
  const stop = new AbortController()
  let said = ''
  const print = (text: string) => {
    said += text
  }
  const following = logs({ name: 'agent', lines: 10, runDirectory: dir, follow: stop.signal, print })
  await appendFile(file, 'b\n')
  await sleep(400)
  await appendFile(file, 'c\n')
  await rename(file, `${file}.1`)
  await writeFile(file, 'd\n')
  for (const deadline = performance.now() + 10_000; !said.includes('d') && performance.now() < deadline; )
    await sleep(20)
  stop.abort()
  await following
  assert.equal(said, 'a\nb\nc\nd\n')
})
