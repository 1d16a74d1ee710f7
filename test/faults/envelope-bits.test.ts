import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verify } from '../../agent/verify.ts'
import { hostArch } from '../../service/arch.ts'
import { asPlasmError } from '../../service/errors.ts'
import { makeSet } from '../support/boot-set.ts'
import { makeKey, policyOf, signSet } from '../support/trust.ts'

test('an envelope with any one bit flipped is refused, or is the same release by the same key', () => {
  const key = makeKey()
  const policy = policyOf([key])
  const expected = { channel: 'stable', arch: hostArch() }
  const { envelope } = signSet(makeSet({ agentBytes: 1, kernelBytes: 1, chunkBytes: null }), key)
  const decide = (bytes: Uint8Array) => verify({ bytes, from: 'here', form: 'signed' }, policy, expected)
  const { digest, plain } = decide(envelope)
  // A key's name in the envelope is a hint that decides nothing.
  const hintAt = envelope.indexOf(key.id)
  const codes = new Map<string, number>()
  for (let bit = 0; bit < envelope.length * 8; bit += 1) {
    const flipped = Buffer.from(envelope)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    try {
      const verified = decide(flipped)
      assert.ok(bit >> 3 >= hintAt && bit >> 3 < hintAt + key.id.length, `bit ${bit} made no difference`)
      assert.deepEqual([verified.digest, verified.plain, verified.signedBy], [digest, plain, [key.id]])
    } catch (thrown) {
      const { code } = asPlasmError(thrown)
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
  }
  assert.deepEqual([...codes.keys()].sort(), ['envelope-invalid', 'signature-refused'])
})
