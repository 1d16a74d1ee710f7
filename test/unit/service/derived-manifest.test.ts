import assert from 'node:assert/strict'
import { test } from 'node:test'
import { derivedManifest, payloadOf } from '../../../service/derived-manifest.ts'
import { parseManifest, parsePayload } from '../../../service/manifest.ts'
import { makeSet } from '../../support/boot-set.ts'

const { manifest } = makeSet({ agentBytes: 1, kernelBytes: 1 })

test('a plain manifest of ours goes to a payload and back byte for byte', () => {
  const payload = payloadOf(manifest)
  assert.deepEqual(derivedManifest(payload), manifest)
  assert.deepEqual(parsePayload(payload), parseManifest(manifest))
})

test('the payload says nothing of signatures and of who serves it', () => {
  const foreign = Buffer.from(
    JSON.stringify({ ...JSON.parse(manifest.toString()), provider: { peer_id: 'x' } }, null, 2),
  )
  assert.deepEqual(payloadOf(foreign), payloadOf(manifest))
  for (const field of ['signatures', 'provider']) {
    const bytes = Buffer.from(JSON.stringify({ ...JSON.parse(payloadOf(manifest).toString()), [field]: [] }))
    assert.throws(() => parsePayload(bytes), { code: 'manifest-invalid', facts: { field } })
  }
})

test('white space behind a payload does no harm', () => {
  const derived = derivedManifest(Buffer.concat([payloadOf(manifest), Buffer.from(' \n')]))
  assert.deepEqual(derived, manifest)
})
