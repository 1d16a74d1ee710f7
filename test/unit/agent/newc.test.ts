import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planCarry } from '../../../agent/carry-plan.ts'
import { LAYOUT_FILE } from '../../../agent/handover-layout.ts'
import { prefixBytesOf } from '../../../agent/image-layout.ts'
import { findInNewc, newcHeader, newcTrailer } from '../../../agent/newc.ts'
import { hostArch } from '../../../service/arch.ts'
import { parseManifest } from '../../../service/manifest.ts'
import { layoutSegment, makeSet } from '../../support/boot-set.ts'

test('a header is 110 characters, the name with its NUL, and padding to 4', () => {
  const header = newcHeader({ name: 'ab', mode: 0o100600, size: 5, ino: 7 })
  assert.equal(header.length, 116)
  assert.equal(header.toString('latin1', 0, 22), '0707010000000700008180')
  assert.equal(header.toString('latin1', 54, 62), '00000005')
  assert.equal(header.toString('latin1', 110), 'ab\0\0\0\0')
})

test('finds a file only in the first archive, and only whole', () => {
  const segment = layoutSegment(8192, 8192, 1)
  assert.equal(findInNewc(segment, LAYOUT_FILE)?.length, 256)
  assert.equal(findInNewc(segment.subarray(0, 500), LAYOUT_FILE), undefined)
  assert.equal(findInNewc(Buffer.concat([newcTrailer(), segment]), LAYOUT_FILE), undefined)
  assert.equal(findInNewc(Buffer.from('070701'.padEnd(200, 'z')), LAYOUT_FILE), undefined)
})

const layouts: ReadonlyArray<[name: string, layout: [number, number, number], outcome: number | string]> = [
  ['good', [8192, 12288, 1000], 8192],
  ['prefix that is no multiple of 4', [8191, 12288, 1000], 'image-layout-invalid'],
  ['no prefix', [0, 12288, 1000], 'image-layout-invalid'],
  ['agent inside the prefix', [8192, 4096, 1000], 'image-layout-invalid'],
  ['agent beyond the end', [8192, 12288, 10_000], 'image-layout-invalid'],
  ['agent off a page', [8192, 12289, 10], 'image-layout-invalid'],
]
for (const [name, layout, outcome] of layouts) {
  test(`layout: ${name}`, () => {
    const read = () => prefixBytesOf(layoutSegment(...layout), 20_000)
    if (typeof outcome === 'number') assert.equal(read(), outcome)
    else assert.throws(read, { code: outcome })
  })
}

test('an initramfs without a layout is prefix as a whole', () => {
  assert.equal(prefixBytesOf(Buffer.from('\x1f\x8b zipped'), 20_000), 20_000)
})

test('a plan covers every byte of the new initrd once', () => {
  const bytes = makeSet().manifest
  const manifest = parseManifest(bytes)
  assert.equal(manifest.arch, hostArch())
  const plan = planCarry(1002, { manifest, bytes, file: 'manifest.json' })
  const spans = [
    { start: 0, end: plan.prefixBytes },
    ...plan.fixed.map(({ offset, bytes }) => ({ start: offset, end: offset + bytes.length })),
    ...[...plan.artifactOffset].map(([role, start]) => ({ start, end: start + manifest.artifacts[role]!.size_bytes })),
  ].sort((a, b) => a.start - b.start)
  for (const [index, { end }] of spans.entries()) assert.equal(spans[index + 1]?.start ?? plan.closingOffset, end)
  for (const start of plan.artifactOffset.values()) assert.equal(start % 4, 0)
})
