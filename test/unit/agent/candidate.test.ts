import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressProblem, settledAt } from '../../../agent/candidate.ts'
import { judgeInstance } from '../../../agent/judge-instance.ts'

const own = new Set(['10.0.0.2'])
const addresses: ReadonlyArray<[address: string, port: number, usable: boolean]> = [
  ['10.0.0.1', 8080, true],
  ['169.254.3.4', 1, true],
  ['10.0.0.2', 8080, false],
  ['127.0.0.1', 8080, false],
  ['0.0.0.0', 8080, false],
  ['224.0.0.251', 8080, false],
  ['255.255.255.255', 8080, false],
  ['10.0.0.1', 0, false],
  ['10.0.0.1', 65536, false],
]
for (const [address, port, usable] of addresses) {
  test(`${address}:${port} is ${usable ? '' : 'not '}usable`, () => {
    assert.equal(addressProblem(address, port, own) === undefined, usable)
  })
}

const settling: ReadonlyArray<
  [name: string, found: { at: number; generation: number | null }[], expected: number | undefined]
> = [
  ['nobody', [], undefined],
  ['an origin', [{ at: 100, generation: 0 }], 700],
  ['one that does not say', [{ at: 100, generation: null }], 700],
  ['a booted machine', [{ at: 100, generation: 1 }], 350],
  [
    'an origin, then a booted machine',
    [
      { at: 100, generation: 0 },
      { at: 200, generation: 2 },
    ],
    450,
  ],
  [
    'a booted machine that comes late',
    [
      { at: 100, generation: 0 },
      { at: 600, generation: 2 },
    ],
    700,
  ],
]
for (const [name, found, expected] of settling) {
  test(`settles after ${name}`, () => assert.equal(settledAt(found), expected))
}

test('takes the address that the answer came from, and the first that is usable otherwise', () => {
  const instance = {
    label: 'plasmd-a',
    port: 8080,
    addresses: ['127.0.0.1', '10.9.9.9', '10.0.0.1'],
    sender: '10.0.0.1',
    txt: new Map([['generation', '-1']]),
  }
  const wanted = { channel: 'stable', arch: 'x86_64' }
  assert.deepEqual(judgeInstance(instance, wanted, own), {
    url: 'http://10.0.0.1:8080',
    source: 'mdns',
    name: 'plasmd-a',
    generation: null,
  })
  assert.equal(judgeInstance({ ...instance, sender: '10.5.5.5' }, wanted, own).url, 'http://10.9.9.9:8080')
})
