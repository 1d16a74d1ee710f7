import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import type { PhaseMode } from '../../../agent/config.ts'
import { machineKey } from '../../../agent/machine-key.ts'

test('the key is kept where there is a disk, in private mode for one boot alone', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-state-'))
  t.after(() => rm(directory, { recursive: true }))
  const at = async (name: string) => {
    await mkdir(join(directory, name), { recursive: true })
    return join(directory, name)
  }
  const peerOf = async (mode: PhaseMode, state: string, boot: string) =>
    (await machineKey(mode, { stateDirectory: join(directory, state), runDirectory: await at(boot) })).peerId

  const kept = await peerOf('local', basename(await at('disk')), 'boot1')
  assert.equal(await peerOf('internet', 'disk', 'boot2'), kept)
  assert.deepEqual(await readdir(join(directory, 'boot2')), [], 'it is kept once')
  const hidden = await peerOf('private', 'disk', 'boot1')
  assert.equal(await peerOf('private', 'disk', 'boot1'), hidden, 'an agent that is started again is the same peer')
  assert.equal(new Set([kept, hidden, await peerOf('private', 'disk', 'boot2')]).size, 3)

  const without = await peerOf('local', 'none', 'boot3')
  assert.equal(await peerOf('local', 'none', 'boot3'), without)
  assert.notEqual(await peerOf('local', 'none', 'boot4'), without)
})
