import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { envelopeDocument, pae, parseEnvelope, signPayload } from '../../../service/dsse.ts'
import { keyIdOf, rawPublicKey, verifyStrict } from '../../../service/ed25519.ts'

const TYPE = 'application/x-test'
const payload = Buffer.from('{"é":1}')
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const signature = signPayload(TYPE, payload, privateKey)
const envelope = { payloadType: TYPE, payload, signatures: [signature] }
const plain = JSON.parse(envelopeDocument(envelope).toString())
const bytesOf = (changes: object) => Buffer.from(JSON.stringify({ ...plain, ...changes }))

test('the pre-authentication encoding counts bytes', () => {
  // The example of DSSE's protocol.md.
  assert.equal(
    pae('http://example.com/HelloWorld', Buffer.from('hello world')).toString(),
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  )
  assert.equal(pae('é', Buffer.from('é')).toString(), 'DSSEv1 2 é 2 é')
})

test('an envelope comes back as it was written, signed by the key that its hint names', () => {
  assert.deepEqual(parseEnvelope(envelopeDocument(envelope), TYPE), envelope)
  const raw = rawPublicKey(publicKey)!
  assert.equal(signature.keyid, keyIdOf(raw))
  assert.equal(verifyStrict(raw, pae(TYPE, payload), signature.sig), true)
})

test('the URL-safe alphabet and a missing hint are taken', () => {
  const sig = signature.sig.toString('base64url')
  const parsed = parseEnvelope(bytesOf({ payload: payload.toString('base64url'), signatures: [{ sig }] }), TYPE)
  assert.deepEqual(parsed, { ...envelope, signatures: [{ keyid: null, sig: signature.sig }] })
})

const one = plain.signatures[0]
const bad: ReadonlyArray<[name: string, bytes: Buffer, field: string]> = [
  ['another payload type', bytesOf({ payloadType: 'text/plain' }), 'payloadType'],
  ['no payload', bytesOf({ payload: undefined }), 'payload'],
  ['a payload that is not base64', bytesOf({ payload: 'e30' + '*' }), 'payload'],
  ['base64 with bits that count for nothing', bytesOf({ payload: 'e31=' }), 'payload'],
  ['no signature', bytesOf({ signatures: [] }), 'signatures'],
  ['seventeen signatures', bytesOf({ signatures: Array(17).fill(one) }), 'signatures'],
  ['a short signature', bytesOf({ signatures: [{ sig: 'AAAA' }] }), 'signatures.0.sig'],
  ['a key in the document', bytesOf({ signatures: [{ ...one, publicKey: 'AAAA' }] }), 'signatures.0.publicKey'],
  ['a field of its own', bytesOf({ keys: [] }), 'keys'],
  ['a name twice', Buffer.from('{"payload":"","payload":""}'), 'payload'],
  ['too many bytes', Buffer.alloc(8 * 1024 * 1024, ' '), '(document)'],
]
for (const [name, bytes, field] of bad) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => parseEnvelope(bytes, TYPE),
      ({ code, facts }) => {
        assert.deepEqual({ code, field: facts.field }, { code: 'envelope-invalid', field })
        return true
      },
    )
  })
}
