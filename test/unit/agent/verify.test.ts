import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type RawManifest, verify } from '../../../agent/verify.ts'
import { hostArch } from '../../../service/arch.ts'
import type { PlasmError } from '../../../service/errors.ts'
import { NOTHING_SEEN, type SeenReleases } from '../../../service/freshness.ts'
import { sha256Of } from '../../../service/manifest.ts'
import { makeSet } from '../../support/boot-set.ts'
import { makeKey, policyOf, signSet, TRUSTING } from '../../support/trust.ts'

const small = { agentBytes: 1, kernelBytes: 1 }
const expected = { channel: 'stable', arch: hostArch() }
const plain = (bytes: Uint8Array): RawManifest => ({ bytes, from: 'here', form: 'plain' })
const signed = (bytes: Uint8Array): RawManifest => ({ bytes, from: 'here', form: 'signed' })
const raw = plain(makeSet(small).manifest)
const [key, other] = [makeKey(), makeKey()]
const policy = policyOf([key])

function refused(code: string, facts: Record<string, unknown>) {
  return (error: PlasmError) => {
    assert.equal(error.code, code, error.message)
    assert.deepEqual(Object.fromEntries(Object.keys(facts).map((name) => [name, error.facts[name]])), facts)
    return true
  }
}

test('the digest of a plain manifest is over the bytes as received', () => {
  const verified = verify(raw, TRUSTING, expected)
  const { digest, bytes, file, plain, signedBy } = verified
  assert.deepEqual(
    { digest, bytes, file, plain, signedBy },
    {
      digest: sha256Of(raw.bytes),
      bytes: raw.bytes,
      file: 'manifest.json',
      plain: raw.bytes,
      signedBy: [],
    },
  )
})

test('the digest of a signed one is over its payload; the envelope travels, and the plain manifest is derived', () => {
  const set = signSet(makeSet(small), key)
  const { digest, bytes, file, plain, signedBy } = verify(signed(set.envelope), policy, expected)
  const payload = Buffer.from(JSON.parse(set.envelope.toString()).payload, 'base64')
  assert.deepEqual(
    { digest, bytes, file, signedBy },
    {
      digest: sha256Of(payload),
      bytes: set.envelope,
      file: 'manifest.dsse.json',
      signedBy: [key.id],
    },
  )
  // Our own publisher writes the fields in this order, so the derived manifest is the one that was signed.
  assert.deepEqual(Buffer.from(plain), set.manifest)
})

test('unsigned is refused unless the image says otherwise', () => {
  assert.throws(() => verify(raw, policy, expected), refused('unsigned-refused', { from: 'here', field: 'signatures' }))
  assert.deepEqual(verify(raw, { ...policy, allowUnsigned: true }, expected).signedBy, [])
})

test('an envelope that is there must verify also where unsigned is allowed', () => {
  const set = signSet(makeSet(small), other)
  const lenient = { ...policy, allowUnsigned: true }
  assert.throws(() => verify(signed(set.envelope), lenient, expected), refused('signature-refused', { from: 'here' }))
  assert.deepEqual(verify(signed(set.envelope), TRUSTING, expected).signedBy, [], 'an image without keys asks nobody')
})

test('a refused envelope says of every signature why it does not count', () => {
  const set = signSet(makeSet(small), other, key, key)
  const verdicts = [
    `${other.id}: does not count, no trusted key made it`,
    `${key.id}: counts, signed by key1.pub`,
    `${key.id}: does not count, key1.pub has signed it already`,
  ]
  const two = policyOf([key, makeKey()], { threshold: 2 })
  const facts = { from: 'here', field: 'signatures', threshold: 2, counted: 1, verdicts }
  assert.throws(() => verify(signed(set.envelope), two, expected), refused('signature-refused', facts))
})

test('parse errors keep their field and say where from', () => {
  assert.throws(
    () => verify({ ...plain(Buffer.from('{}')), from: 'there' }, TRUSTING, expected),
    refused('manifest-invalid', { from: 'there' }),
  )
})

test('nothing is read out of a payload that is not signed well', () => {
  const { envelope } = signSet(
    makeSet({ ...small, change: (manifest) => Object.assign(manifest, { arch: 'z80' }) }),
    other,
  )
  assert.throws(() => verify(signed(envelope), policy, expected), refused('signature-refused', {}))
})

const year = (when: string) => ({ now: Date.parse(`${when}-06-01T00:00:00Z`) })
const clocks: ReadonlyArray<[name: string, clock: string, builtAt: string | null, code: string | null, hint?: RegExp]> =
  [
    ['within', '2026', null, null],
    ['after', '2126', null, 'manifest-expired', /ahead/],
    ['before it was made, which says that the clock is wrong', '1970', null, null],
    ['of 1970 in an image made while it was valid', '1970', '2026', null],
    ['of 1970 in an image made after it expired', '1970', '2126', 'manifest-expired', /set this machine's clock/],
  ]
for (const [name, clock, builtAt, code, hint] of clocks) {
  test(`a clock ${name}`, () => {
    const made = builtAt === null ? null : new Date(year(builtAt).now)
    const decide = () => verify(raw, { ...TRUSTING, builtAt: made }, expected, year(clock))
    if (!code) return assert.ok(decide())
    assert.throws(decide, (error: PlasmError) => {
      assert.match(error.hint ?? '', hint!)
      return refused(code, { field: 'expires_at', clock: new Date(year(clock).now).toISOString() })(error)
    })
  })
}

const seenAt = (sequence: number, digest = `sha256:${'0'.repeat(64)}`): SeenReleases => ({
  newest: new Map([[`stable/${hostArch()}`, { sequence, digest }]]),
  bad: new Set(),
})
const sequences: ReadonlyArray<[name: string, sequence: number, seen: SeenReleases, code: string | null]> = [
  ['above the last seen', 6, seenAt(5), null],
  ['below the last seen', 4, seenAt(5), 'manifest-rollback'],
  ['equal with another digest', 5, seenAt(5), 'manifest-equivocation'],
  ['below the minimum', 2, NOTHING_SEEN, 'sequence-too-low'],
  ['absurdly high', 2 ** 40 + 1, NOTHING_SEEN, 'sequence-absurd'],
  ['as high as may be', 2 ** 40, NOTHING_SEEN, null],
  [
    'below what another channel had',
    4,
    { ...NOTHING_SEEN, newest: new Map([['testing/arm64', { sequence: 9, digest: '' }]]) },
    null,
  ],
]
for (const [name, sequence, seen, code] of sequences) {
  test(`a signed sequence ${name}`, () => {
    const { envelope } = signSet(makeSet({ ...small, sequence }), key)
    const decide = () => verify(signed(envelope), { ...policy, minimumSequence: 3 }, expected, { seen })
    if (code) assert.throws(decide, refused(code, { from: 'here', field: 'sequence', sequence }))
    else assert.ok(decide())
  })
}

test('the same release may come again', () => {
  const { envelope } = signSet(makeSet({ ...small, sequence: 5 }), key)
  const { digest } = verify(signed(envelope), policy, expected)
  assert.ok(verify(signed(envelope), policy, expected, { seen: seenAt(5, digest) }))
})

test('a channel that the image does not boot is refused, whatever was asked for', () => {
  const { envelope } = signSet(makeSet({ ...small, channel: 'testing' }), key)
  assert.throws(
    () => verify(signed(envelope), { ...policy, channels: ['stable'] }, { ...expected, channel: 'testing' }),
    refused('channel-refused', { from: 'here', field: 'channel', found: 'testing', channels: ['stable'] }),
  )
})
