import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { publicKeyObject } from '../../../service/ed25519.ts'
import type { PlasmError } from '../../../service/errors.ts'
import { readTrustPolicy } from '../../../service/trust-policy.ts'
import { makeKey, writePolicy } from '../../support/trust.ts'

let file = ''
before(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'plasm-trust-')), 'policy.toml')
})
after(() => rm(join(file, '..'), { recursive: true, force: true }))

const [one, two, three] = [makeKey(), makeKey(), makeKey()]
const pem = (raw: Buffer) => publicKeyObject(raw).export({ type: 'spki', format: 'pem' }) as string

test('reads keys, threshold, channels, minimum and build time', async () => {
  await writePolicy(file, [one, two], { threshold: '2', channels: '["stable"]', minimum_sequence: '7' })
  assert.deepEqual(await readTrustPolicy(file), {
    allowUnsigned: false,
    threshold: 2,
    keys: [one, two].map(({ id, publicKey }, at) => ({ id, publicKey, name: `key${at + 1}.pub` })),
    channels: ['stable'],
    minimumSequence: 7,
    builtAt: new Date('2026-01-01T00:00:00Z'),
  })
})

test('the old file of a test image trusts anything', async () => {
  await writePolicy(file, [])
  await writeFile(file, 'allow_unsigned = true\n')
  assert.deepEqual(await readTrustPolicy(file), {
    allowUnsigned: true,
    threshold: 0,
    keys: [],
    channels: null,
    minimumSequence: 0,
    builtAt: null,
  })
})

const small = Buffer.from(`01${'00'.repeat(31)}`, 'hex')
const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  type: 'spki',
  format: 'pem',
}) as string
const privatePem = one.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

const refused: ReadonlyArray<{
  name: string
  changes?: Readonly<Record<string, string | null>>
  files?: Readonly<Record<string, string>>
  field: string
  code?: string
}> = [
  { name: 'a threshold of 0', changes: { threshold: '0' }, field: 'threshold' },
  { name: 'a negative threshold', changes: { threshold: '-1' }, field: 'threshold' },
  { name: 'a threshold above the number of keys', changes: { threshold: '3' }, field: 'threshold' },
  {
    name: 'a threshold that is no whole number',
    changes: { threshold: '1.5' },
    field: 'threshold',
    code: 'config-invalid',
  },
  { name: 'no threshold', changes: { threshold: null }, field: 'threshold' },
  { name: 'no minimum sequence', changes: { minimum_sequence: null }, field: 'minimum_sequence' },
  { name: 'no build time', changes: { built_at: null }, field: 'built_at' },
  {
    name: 'a local build time',
    changes: { built_at: '2026-01-01T00:00:00' },
    field: 'built_at',
    code: 'config-invalid',
  },
  { name: 'no channel at all', changes: { channels: '[]' }, field: 'channels' },
  { name: 'nobody', changes: { keys: '[]' }, files: {}, field: 'keys' },
  {
    name: 'one key under two file names',
    files: { 'a.pub': one.pem, 'b.pub': two.pem, 'c.pub': one.pem },
    field: 'keys',
  },
  { name: 'one id listed twice', changes: { keys: JSON.stringify([one.id, two.id, one.id]) }, field: 'keys' },
  { name: 'a listed key without a file', files: { 'a.pub': one.pem }, field: 'keys' },
  {
    name: 'a file that is not listed',
    files: { 'a.pub': one.pem, 'b.pub': two.pem, 'c.pub': three.pem },
    field: 'keys',
  },
  { name: 'a key of small order', files: { 'a.pub': one.pem, 'b.pub': pem(small) }, field: 'keys' },
  { name: 'a key of another kind', files: { 'a.pub': one.pem, 'b.pub': ecKey }, field: 'keys' },
  { name: 'a private key', files: { 'a.pub': privatePem, 'b.pub': two.pem }, field: 'keys' },
  { name: 'a file that is no key', files: { 'a.pub': 'hello\n', 'b.pub': two.pem }, field: 'keys' },
  { name: 'an id that is none', changes: { keys: '["abc"]' }, field: 'keys.0', code: 'config-invalid' },
]
for (const { name, changes = {}, files, field, code = 'trust-policy-invalid' } of refused) {
  test(`${name} is refused`, async () => {
    await writePolicy(file, [one, two], changes, files)
    await assert.rejects(readTrustPolicy(file), ({ code: found, facts }: PlasmError) => {
      assert.deepEqual([found, facts.field], [code, field])
      return true
    })
  })
}
