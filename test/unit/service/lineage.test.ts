import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pae } from '../../../service/dsse.ts'
import { LINEAGE_MAX, type LineageExpectation, verifyLineage } from '../../../service/lineage.ts'
import { makeNodeKey, type NodeKey } from '../../../service/node-key.ts'
import { RECEIPT_PAYLOAD_TYPE, readReceipt } from '../../../service/receipt.ts'
import { bootChain, MANIFEST_DIGEST, NONCE, receiptFor } from '../../support/receipts.ts'

interface Envelope {
  readonly payloadType: string
  readonly payload: string
  readonly signatures: ReadonlyArray<{ readonly keyid?: string; readonly sig: string }>
}

const { keys, envelopes } = bootChain(3)
const [origin, vm1, vm2, vm3] = keys as [NodeKey, NodeKey, NodeKey, NodeKey]
const [own, second, third] = envelopes as [Envelope, Envelope, Envelope]
const EXPECTED: LineageExpectation = { client: vm3.peerId, nonce: NONCE, manifestDigest: MANIFEST_DIGEST }

/** The same payload with some text replaced, and signed by whoever is named, if anybody is. */
function altered(envelope: Envelope, from: string | RegExp, to: string, signer?: NodeKey): Envelope {
  const before = Buffer.from(envelope.payload, 'base64').toString('utf8')
  const payload = Buffer.from(before.replace(from, to))
  assert.notEqual(payload.toString('utf8'), before)
  const sig = signer?.sign(pae(RECEIPT_PAYLOAD_TYPE, payload)).toString('base64') ?? envelope.signatures[0]!.sig
  return { ...envelope, payload: payload.toString('base64'), signatures: [{ sig }] }
}

test('a lineage leads from a machine to its origin', () => {
  const lineage = verifyLineage(envelopes, EXPECTED)
  assert.deepEqual(
    lineage.links.map(({ provider, client }) => [provider, client]),
    [
      [vm2.peerId, vm3.peerId],
      [vm1.peerId, vm2.peerId],
      [origin.peerId, vm1.peerId],
    ],
  )
  assert.equal(lineage.origin, origin.peerId)
  assert.equal(lineage.digest, readReceipt(own).digest)
})

test('ancestors may have booted other sets', () => {
  const older = bootChain(1, { manifestDigest: `sha256:${'e'.repeat(64)}`, nonce: 'f'.repeat(32) })
  const client = makeNodeKey()
  const chain = [receiptFor(older.keys[1]!, client, older.envelopes), ...older.envelopes]
  assert.equal(verifyLineage(chain, { ...EXPECTED, client: client.peerId }).links.length, 2)
})

const liar = makeNodeKey()
const ghost = makeNodeKey()
const backwards = receiptFor(vm2, vm1, [])

const FAULTS: ReadonlyArray<readonly [name: string, code: string, link: number, field: string, chain: unknown[]]> = [
  ['no receipt at all', 'lineage-broken', 0, 'receipt', []],
  ['an altered receipt', 'lineage-forged', 0, 'signatures', [altered(own, '50000000', '50000001'), second, third]],
  ['an altered ancestor', 'lineage-forged', 1, 'signatures', [own, altered(second, NONCE, 'a'.repeat(32)), third]],
  [
    "another's signature",
    'lineage-forged',
    0,
    'signatures',
    [altered(own, '"bytes"', ' "bytes"', liar), second, third],
  ],
  [
    'a second signature',
    'lineage-forged',
    0,
    'signatures',
    [{ ...own, signatures: [...own.signatures, ...own.signatures] }, second, third],
  ],
  ['no signature', 'lineage-forged', 0, 'signatures', [{ ...own, signatures: [] }, second, third]],
  ['a payload of another type', 'lineage-forged', 0, 'payloadType', [{ ...own, payloadType: 'text/plain' }]],
  ['what is no envelope', 'lineage-forged', 0, '(document)', ['receipt']],
  ['nothing in its place', 'lineage-forged', 1, '(document)', [own, null]],
  ['a field given twice', 'lineage-forged', 0, 'payload', [altered(own, '{', '{"bytes":1,', vm2), second, third]],
  ['no bytes', 'lineage-forged', 0, 'bytes', [altered(own, '50000000', '0', vm2), second, third]],
  ['a short cut past one machine', 'lineage-broken', 0, 'parent', [own, third]],
  ['a cut before the origin', 'lineage-broken', 1, 'parent', [own, second]],
  ['more after the origin', 'lineage-broken', 2, 'parent', [...envelopes, ...bootChain(1).envelopes]],
  ["somebody else's ancestry", 'lineage-broken', 1, 'client', [receiptFor(liar, vm3, [second]), second, third]],
  [
    'an invented machine between two real ones',
    'lineage-forged',
    1,
    'signatures',
    // Nobody real signs for it, so vm1's receipt for vm2 has to do.
    [receiptFor(ghost, vm3, [second]), altered(second, vm2.peerId, ghost.peerId), third],
  ],
  ['a circle', 'lineage-broken', 1, 'provider', [receiptFor(vm1, vm2, [backwards]), backwards]],
]

for (const [name, code, link, field, chain] of FAULTS) {
  test(`${name}: ${code}`, () => {
    const client = name === 'a circle' ? vm2.peerId : vm3.peerId
    assert.throws(() => verifyLineage(chain, { ...EXPECTED, client }), { code, facts: { link, field } })
  })
}

const REPLAYS: ReadonlyArray<readonly [field: keyof LineageExpectation, value: string]> = [
  ['client', liar.peerId],
  ['nonce', 'a'.repeat(32)],
  ['manifestDigest', `sha256:${'e'.repeat(64)}`],
]

for (const [field, value] of REPLAYS) {
  test(`a receipt for another ${field} is a replay`, () => {
    const expected = { ...EXPECTED, [field]: value }
    assert.throws(() => verifyLineage(envelopes, expected), { code: 'lineage-replayed', facts: { link: 0, field } })
  })
}

test('a lineage ends somewhere', () => {
  const { keys, envelopes } = bootChain(LINEAGE_MAX + 1)
  assert.throws(() => verifyLineage(envelopes, { client: keys.at(-1)!.peerId }), { code: 'lineage-broken' })
  assert.equal(verifyLineage(envelopes.slice(1), { client: keys.at(-2)!.peerId }).links.length, LINEAGE_MAX)
})
