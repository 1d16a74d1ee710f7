import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextCommandLine, parseCommandLine } from '../../../agent/kernel-command-line.ts'

test('the last of a name wins, quotes hold words together, a lone word is empty', () => {
  const parameters = parseCommandLine('quiet phase.mode=local a="b c" phase.mode=private x=1=2\n')
  assert.deepEqual(
    [...parameters],
    [
      ['quiet', ''],
      ['phase.mode', 'private'],
      ['a', 'b c'],
      ['x', '1=2'],
    ],
  )
})

const cases: ReadonlyArray<[string, string]> = [
  ['console=ttyS0 plasm.run=r', 'console=ttyS0 plasm.run=r plasm.stage=serve plasm.boot=N'],
  ['BOOT_IMAGE=/k initrd=/i quiet plasm.stage=fetch plasm.boot=old', 'quiet plasm.stage=serve plasm.boot=N'],
  ['a="b  c" d\n', 'a="b  c" d plasm.stage=serve plasm.boot=N'],
  ['', 'plasm.stage=serve plasm.boot=N'],
]
for (const [current, next] of cases) {
  test(`the next kernel after "${current.trim()}"`, () => assert.equal(nextCommandLine(current, 'N'), next))
}
