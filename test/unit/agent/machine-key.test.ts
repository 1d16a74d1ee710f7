import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { machineKey } from '../../../agent/machine-key.ts'

test('the key is kept where there is a disk, and never in private mode', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-state-'))
  t.after(() => rm(directory, { recursive: true }))
  const peerOf = async (...args: Parameters<typeof machineKey>) => (await machineKey(...args)).peerId
  assert.notEqual(await peerOf('private', directory), await peerOf('private', directory))
  assert.deepEqual(await readdir(directory), [])
  const kept = await peerOf('local', directory)
  assert.equal(await peerOf('local', directory), kept)
  assert.equal(await peerOf('internet', directory), kept)
  assert.notEqual(await peerOf('private', directory), kept)
  const none = join(directory, 'none')
  assert.notEqual(await peerOf('local', none), await peerOf('local', none))
  assert.deepEqual(await readdir(directory), ['node-key'])
})
