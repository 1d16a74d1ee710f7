import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { makeNodeKey, openNodeKey, readNodeKey, writeNodeKey } from '../../../service/node-key.ts'

async function keyFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-key-'))
  t.after(() => rm(directory, { recursive: true }))
  return join(directory, '.node-key')
}

test('a key is made once, as 32 bytes that only its owner reads, and found again', async (t) => {
  const file = await keyFile(t)
  assert.equal(await readNodeKey(file), undefined)
  const { peerId, seed } = await openNodeKey(file)
  assert.deepEqual(await readFile(file), seed)
  assert.equal(seed.length, 32)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await openNodeKey(file)).peerId, peerId)
  assert.deepEqual(await readdir(join(file, '..')), ['.node-key'])
})

test('many that start at once agree on one key', async (t) => {
  const file = await keyFile(t)
  const keys = await Promise.all(Array.from({ length: 8 }, () => openNodeKey(file)))
  assert.equal(new Set(keys.map(({ peerId }) => peerId)).size, 1)
})

test('a key that others can read is refused, and so is what is no key', async (t) => {
  const file = await keyFile(t)
  await writeNodeKey(file, makeNodeKey())
  for (const mode of [0o640, 0o604, 0o622]) {
    await chmod(file, mode)
    await assert.rejects(readNodeKey(file), { code: 'node-key-exposed', facts: { file, mode: mode.toString(8) } })
  }
  await rm(file)
  await writeFile(file, Buffer.alloc(31), { mode: 0o600 })
  await assert.rejects(openNodeKey(file), { code: 'node-key-invalid' })
  assert.equal((await readFile(file)).length, 31, 'nothing is replaced')
})

test('a planted link is not followed, neither to read nor to write', async (t) => {
  const file = await keyFile(t)
  await symlink(`${file}.elsewhere`, file)
  await assert.rejects(openNodeKey(file), { code: 'node-key-invalid' })
  assert.deepEqual(await readdir(join(file, '..')), ['.node-key'])
})

test('a FIFO does not make anybody wait', async (t) => {
  const file = await keyFile(t)
  const { execFileSync } = await import('node:child_process')
  execFileSync('mkfifo', ['-m', '600', file])
  await assert.rejects(readNodeKey(file), { code: 'node-key-invalid' })
})
