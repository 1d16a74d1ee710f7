import assert from 'node:assert/strict'
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { describeFindings, verifySet } from '../../agent/verify-command.ts'
import { answer, startProvider } from '../support/provider.ts'
import { makeStoreFixture } from '../support/store-fixture.ts'

test('a directory is read whole, and everything that differs is named', async (t) => {
  const at = await makeStoreFixture(t)
  const { dir, digest } = await at.put('a', { kernelBytes: 200_000 })
  const ask = { what: dir, sources: at.sources, trustFile: at.trustFile }
  const right = await verifySet(ask)
  assert.equal(right.whole, true)
  assert.equal(right.manifestDigest, digest)
  assert.match(describeFindings(right).join('\n'), /kernel +right: 200000 bytes, sha256:/)

  const kernel = await readFile(join(dir, 'vmlinuz'))
  kernel[150_000]! ^= 1
  await writeFile(join(dir, 'vmlinuz'), kernel)
  await truncate(join(dir, 'initramfs.img'), 1000)
  await rm(join(dir, 'rootfs.sqfs'))
  const wrong = await verifySet(ask)
  assert.equal(wrong.whole, false)
  assert.deepEqual(
    wrong.artifacts.map(({ artifact, problem, firstWrongChunk }) => [artifact, problem, firstWrongChunk]),
    [
      ['kernel', 'digest', 2],
      ['initramfs', 'size', 0],
      ['rootfs', 'missing', null],
    ],
  )
  const text = describeFindings(wrong)
  assert.match(text[1]!, /kernel +wrong: sha256:\S+, not sha256:\S+ \(first in chunk 2\)/)
  assert.equal(text.at(-1), 'not what the manifest says: kernel, initramfs, rootfs')
})

test('a provider is read whole, and what it serves wrong is named', async (t) => {
  const at = await makeStoreFixture(t)
  const { set } = await at.put('a')
  const provider = await startProvider(set, {
    misbehave({ file, bytes, response, seen }) {
      if (file === 'rootfs.sqfs') {
        response.writeHead(404).end()
        return true
      }
      if (file !== 'vmlinuz') return false
      answer(response, Buffer.from(bytes).fill(0, 0, 10), 0, seen)
      return true
    },
  })
  t.after(() => provider.close())
  const ask = { what: `${provider.url}/`, sources: at.sources, trustFile: at.trustFile }
  const found = await verifySet(ask)
  assert.deepEqual(
    found.artifacts.map(({ artifact, problem }) => [artifact, problem]),
    [
      ['kernel', 'digest'],
      ['initramfs', null],
      ['rootfs', 'missing'],
    ],
  )
  await provider.close()
  await assert.rejects(verifySet(ask), { code: 'transfer-broken', hint: /^nothing listens there: start a provider/ })
})
