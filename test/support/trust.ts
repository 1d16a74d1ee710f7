import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { payloadOf } from '../../service/derived-manifest.ts'
import { type EnvelopeSignature, envelopeDocument, MANIFEST_PAYLOAD_TYPE, signPayload } from '../../service/dsse.ts'
import { keyIdOf, rawPublicKey } from '../../service/ed25519.ts'
import type { TrustPolicy } from '../../service/trust-policy.ts'
import type { TestSet } from './boot-set.ts'

/** A policy that takes anything. */
export const TRUSTING: TrustPolicy = {
  allowUnsigned: true,
  threshold: 0,
  keys: [],
  channels: null,
  minimumSequence: 0,
  builtAt: null,
}

export interface TestKey {
  readonly id: string
  readonly publicKey: Buffer
  readonly pem: string
  readonly privateKey: KeyObject
}

export function makeKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = rawPublicKey(publicKey)!
  return {
    id: keyIdOf(raw),
    publicKey: raw,
    pem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    privateKey,
  }
}

/** A policy in memory that wants these keys. */
export function policyOf(keys: readonly TestKey[], changes: Partial<TrustPolicy> = {}): TrustPolicy {
  return {
    allowUnsigned: false,
    threshold: 1,
    keys: keys.map(({ id, publicKey }, index) => ({ id, publicKey, name: `key${index + 1}.pub` })),
    channels: null,
    minimumSequence: 1,
    builtAt: new Date('2026-01-01T00:00:00Z'),
    ...changes,
  }
}

/** The text of a policy.toml; what a change sets to null is left out. */
export function policyText(keys: readonly TestKey[], changes: Readonly<Record<string, string | null>> = {}): string {
  const fields: Record<string, string | null> = {
    allow_unsigned: 'false',
    threshold: '1',
    keys: JSON.stringify(keys.map(({ id }) => id)),
    minimum_sequence: '1',
    built_at: '2026-01-01T00:00:00Z',
    ...changes,
  }
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

/** Writes a policy and keys/*.pub beside it, in the place of what was there. @param files by file name; key1.pub, … by default */
export async function writePolicy(
  file: string,
  keys: readonly TestKey[],
  changes: Readonly<Record<string, string | null>> = {},
  files: Readonly<Record<string, string>> = Object.fromEntries(keys.map(({ pem }, at) => [`key${at + 1}.pub`, pem])),
): Promise<void> {
  const directory = join(dirname(file), 'keys')
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  await writeFile(file, policyText(keys, changes))
  for (const [name, pem] of Object.entries(files)) await writeFile(join(directory, name), pem)
}

/** An envelope over a payload. */
export function seal(payload: Buffer, signatures: readonly (TestKey | EnvelopeSignature)[]): Buffer {
  return envelopeDocument({
    payloadType: MANIFEST_PAYLOAD_TYPE,
    payload,
    signatures: signatures.map((one) =>
      'privateKey' in one ? signPayload(MANIFEST_PAYLOAD_TYPE, payload, one.privateKey) : one,
    ),
  })
}

export type SignedSet = TestSet & { readonly envelope: Buffer }

/** The set with an envelope that these keys signed. */
export function signSet(set: TestSet, ...keys: readonly TestKey[]): SignedSet {
  return { ...set, envelope: seal(payloadOf(set.manifest), keys) }
}
