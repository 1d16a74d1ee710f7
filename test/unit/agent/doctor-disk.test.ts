import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DiskFacts, diskFinding } from '../../../agent/doctor-disk.ts'

const DISK = { device: '/dev/vdz', mountPoint: '/', readOnly: false, label: 'PLASM-DATA' }
const facts = (more: Partial<DiskFacts>): DiskFacts => ({
  find: () => DISK,
  labelled: () => [],
  forbidden: false,
  ...more,
})

const cases: ReadonlyArray<[what: string, facts: Partial<DiskFacts>, verdict: string, found: RegExp]> = [
  ['no disk', { find: () => undefined }, 'fine', /^no data disk$/],
  [
    'one that may not be touched',
    { find: () => undefined, labelled: () => ['/dev/vda'], forbidden: true },
    'fine',
    /nowrite/,
  ],
  [
    'one that is not mounted',
    { find: () => undefined, labelled: () => ['/dev/vda'] },
    'wrong',
    /^\/dev\/vda .* not mounted/,
  ],
  ['one without label', { find: () => ({ ...DISK, label: null }) }, 'doubtful', /label is missing/],
  ['one that the kernel made read-only', { find: () => ({ ...DISK, readOnly: true }) }, 'wrong', /read-only/],
  ['a good one', {}, 'fine', /^\/dev\/vdz, \d+ of \d+ MiB free$/],
]
for (const [what, more, verdict, found] of cases) {
  test(`doctor and the data disk: ${what}`, () => {
    const finding = diskFinding(facts(more))
    assert.equal(finding.verdict, verdict)
    assert.match(finding.found, found)
    assert.equal(finding.next === undefined, verdict === 'fine', 'what is not fine comes with what to do')
  })
}
