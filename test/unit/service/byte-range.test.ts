import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRange } from '../../../service/byte-range.ts'

const CASES: ReadonlyArray<[header: string | undefined, size: number, expected: ReturnType<typeof parseRange>]> = [
  [undefined, 10, 'whole'],
  ['bytes=0-0', 10, { first: 0, last: 0 }],
  ['bytes=2-5', 10, { first: 2, last: 5 }],
  ['bytes=2-', 10, { first: 2, last: 9 }],
  ['bytes=2-99', 10, { first: 2, last: 9 }],
  ['bytes=9-9', 10, { first: 9, last: 9 }],
  ['bytes=-3', 10, { first: 7, last: 9 }],
  ['bytes=-99', 10, { first: 0, last: 9 }],
  ['Bytes= 1-2 ', 10, { first: 1, last: 2 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=10-12', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=-1', 0, 'unsatisfiable'],
  ['bytes=99999999999999999999-', 10, 'unsatisfiable'],
  ['bytes=0-99999999999999999999', 10, { first: 0, last: 9 }],
  ['bytes=5-2', 10, 'whole'],
  ['bytes=-', 10, 'whole'],
  ['bytes=', 10, 'whole'],
  ['bytes=a-b', 10, 'whole'],
  ['bytes=1.5-2', 10, 'whole'],
  ['bytes=+1-2', 10, 'whole'],
  ['bytes=0-1,3-4', 10, 'whole'],
  ['items=0-1', 10, 'whole'],
  ['0-1', 10, 'whole'],
]

for (const [header, size, expected] of CASES) {
  test(`Range "${header}" of ${size} bytes`, () => assert.deepEqual(parseRange(header, size), expected))
}
