import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { CHUNK_BYTES, parseManifest } from '../../../service/manifest.ts'
import { generateManifest, nextSequence, placeOf, writeManifestFile } from '../../../service/publish.ts'
import { makeRoot, putSet, sha256 } from '../../support/plasmd.ts'

const RELEASE = {
  channel: 'stable',
  arch: 'arm64',
  version: '1.2.3',
  sequence: 7,
  createdAt: new Date('2026-01-02T03:04:05.678Z'),
} as const

test('describes each artifact whole and in chunks, in compact JSON that clients accept', async (t) => {
  const dir = await makeRoot(t)
  const { vmlinuz, initrd } = await putSet(dir, { vmlinuz: CHUNK_BYTES + 5, initrd: CHUNK_BYTES })
  const bytes = await generateManifest(dir, RELEASE)
  const text = Buffer.from(bytes).toString()
  assert.doesNotMatch(text, /[:,]\s/)
  const { artifacts, ...rest } = parseManifest(bytes)
  assert.deepEqual([rest.version, rest.sequence, rest.arch], ['1.2.3', 7, 'arm64'])
  assert.deepEqual([rest.created_at, rest.expires_at], ['2026-01-02T03:04:05Z', '2027-01-02T03:04:05Z'])
  assert.deepEqual(artifacts.kernel, {
    filename: 'vmlinuz',
    size_bytes: vmlinuz.length,
    hash: sha256(vmlinuz),
    download_url: '/stable/arm64/vmlinuz',
    chunks: {
      size: CHUNK_BYTES,
      sha256: [vmlinuz.subarray(0, CHUNK_BYTES), vmlinuz.subarray(CHUNK_BYTES)].map((piece) => sha256(piece).slice(7)),
    },
  })
  assert.deepEqual(artifacts.initramfs.chunks?.sha256, [sha256(initrd).slice(7)])
})

test('the same files and time make the same bytes', async (t) => {
  const dir = await makeRoot(t)
  await putSet(dir, { kernel: 10, initramfs: 20 })
  assert.deepEqual(await generateManifest(dir, RELEASE), await generateManifest(dir, RELEASE))
})

test('refuses what a client would refuse', async (t) => {
  const dir = await makeRoot(t)
  await assert.rejects(generateManifest(join(dir, 'absent'), RELEASE), { code: 'artifacts-missing' })
  await putSet(dir, { kernel: 10 })
  await assert.rejects(generateManifest(dir, RELEASE), {
    code: 'artifacts-missing',
    facts: { dir, role: 'initramfs' },
  })
  await putSet(dir, { 'initrd-1': 10, 'initrd-2': 10 })
  await assert.rejects(generateManifest(dir, RELEASE), { code: 'artifacts-ambiguous' })
  await putSet(dir, { initramfs: 0 })
  await assert.rejects(generateManifest(dir, RELEASE), { code: 'manifest-invalid' })
})

test('writes the file whole, leaves nothing beside it, and counts on from it', async (t) => {
  const dir = await makeRoot(t)
  await putSet(dir, { kernel: 10, initramfs: 20 })
  assert.equal(await nextSequence(dir), 1)
  const bytes = await generateManifest(dir, RELEASE)
  await writeManifestFile(dir, bytes)
  assert.deepEqual(await readFile(join(dir, 'manifest.json')), Buffer.from(bytes))
  assert.deepEqual((await readdir(dir)).sort(), ['initramfs', 'kernel', 'manifest.json'])
  assert.equal(await nextSequence(dir), 8)
})

test('does not count on from a manifest that it cannot read', async (t) => {
  const dir = await makeRoot(t)
  await writeFile(join(dir, 'manifest.json'), '{')
  await assert.rejects(nextSequence(dir), { code: 'manifest-invalid' })
})

test('takes channel and arch from the path', () => {
  assert.deepEqual(placeOf('/srv/site/stable/aarch64/'), { channel: 'stable', arch: 'arm64' })
  assert.deepEqual(placeOf('/srv/Site/mips'), { channel: undefined, arch: undefined })
})
