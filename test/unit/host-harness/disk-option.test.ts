import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diskSize } from '../../../host-harness/cli/disk-option.ts'

test('a disk has a size with a unit', () => {
  assert.equal(diskSize('2G'), 2 * 1024 ** 3)
  assert.equal(diskSize('512m'), 512 * 1024 ** 2)
})

for (const text of ['', '2', '2GB', '0G', '63M', '-1G', '1.5G', '999999T']) {
  test(`${JSON.stringify(text)} is no size of a disk`, () => assert.throws(() => diskSize(text), /from 64M on/))
}
