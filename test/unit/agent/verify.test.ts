import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verify } from '../../../agent/verify.ts'
import { hostArch } from '../../../service/arch.ts'
import { sha256Of } from '../../../service/manifest.ts'
import { makeSet } from '../../support/boot-set.ts'

const small = { agentBytes: 1, kernelBytes: 1 }
const expected = { channel: 'stable', arch: hostArch() }
const trusting = { allowUnsigned: true }
const raw = { bytes: makeSet(small).manifest, from: 'here' }

test('the digest is over the bytes as received', () => {
  const verified = verify(raw, trusting, expected)
  assert.equal(verified.digest, sha256Of(raw.bytes))
  assert.equal(verified.bytes, raw.bytes)
})

test('unsigned is refused unless the image says otherwise', () => {
  assert.throws(() => verify(raw, { allowUnsigned: false }, expected), {
    code: 'unsigned-refused',
    facts: { from: 'here' },
  })
})

test('parse errors keep their field and say where from', () => {
  assert.throws(
    () => verify({ bytes: Buffer.from('{}'), from: 'there' }, trusting, expected),
    ({ code, facts }) => {
      assert.equal(code, 'manifest-invalid')
      assert.equal(facts.from, 'there')
      return true
    },
  )
})

const clocks: ReadonlyArray<[name: string, clock: string, code: string | null]> = [
  ['within', '2026-06-01T00:00:00Z', null],
  ['after', '2126-01-01T00:00:00Z', 'manifest-expired'],
  ['before it was made, which says that the clock is wrong', '1970-01-01T00:00:00Z', null],
]
for (const [name, clock, code] of clocks) {
  test(`a clock ${name}`, () => {
    const decide = () => verify(raw, trusting, expected, Date.parse(clock))
    if (code) assert.throws(decide, { code })
    else assert.ok(decide())
  })
}
