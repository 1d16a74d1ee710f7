import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEnvelope } from '../../../service/dsse.ts'
import { judgeSignatures, verdictLine } from '../../../service/signatures.ts'
import { makeKey, policyOf, seal } from '../../support/trust.ts'

const [ada, ben, eve] = [makeKey(), makeKey(), makeKey()]
const TYPE = 'application/vnd.phase.boot-manifest+json'
const payload = Buffer.from('{}')
const { keys } = policyOf([ada, ben])

test('every signature has a verdict with its reason, in the envelope’s order', () => {
  const [, adas, eves] = parseEnvelope(seal(payload, [ben, ada, eve]), TYPE).signatures
  const envelope = parseEnvelope(
    seal(payload, [ada, { ...adas!, keyid: ben.id }, { ...eves!, keyid: ben.id }, eve, { ...eves!, keyid: null }, ben]),
    TYPE,
  )
  assert.deepEqual(judgeSignatures(envelope, keys).map(verdictLine), [
    `${ada.id}: counts, signed by key1.pub`,
    `${ada.id}: does not count, key1.pub has signed it already`,
    `${ben.id}: does not count, key2.pub is trusted, and did not make this signature`,
    `${eve.id}: does not count, no trusted key made it`,
    'unnamed key: does not count, no trusted key made it',
    `${ben.id}: counts, signed by key2.pub`,
  ])
})

test('a signature over the bare payload, or over another type, is none', () => {
  const other = parseEnvelope(seal(payload, [ada]), TYPE)
  const [verdict] = judgeSignatures({ ...other, payloadType: 'application/other' }, keys)
  assert.equal(verdict!.counts, false)
})
