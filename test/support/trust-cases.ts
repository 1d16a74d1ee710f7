import { hostArch } from '../../service/arch.ts'
import { payloadOf } from '../../service/derived-manifest.ts'
import { MANIFEST_PAYLOAD_TYPE, signPayload } from '../../service/dsse.ts'
import { sha256Of } from '../../service/manifest.ts'
import { makeSet, type TestSet, type TestSetOptions } from './boot-set.ts'
import { makeKey, seal, signSet } from './trust.ts'

/** The image's keys; eve's is not among them. */
export const [ada, ben, eve] = [makeKey(), makeKey(), makeKey()]
export const IMAGE_KEYS = [ada, ben]

const SMALL: TestSetOptions = { agentBytes: 100_001, kernelBytes: 70_003 }
const release = (sequence: number, more: TestSetOptions = {}) => makeSet({ ...SMALL, sequence, ...more })
const changed = (fields: Record<string, unknown>) =>
  release(6, { change: (manifest) => Object.assign(manifest, fields) })

/** What the machine has used before. */
export const PREVIOUS = signSet(release(5), ada)
export const PREVIOUS_DIGEST = sha256Of(payloadOf(PREVIOUS.manifest))
const seenFile = (sequence: number, digest = PREVIOUS_DIGEST) =>
  JSON.stringify({ version: 1, channels: { [`stable/${hostArch()}`]: { sequence, digest } } })
export const SEEN = seenFile(5)

/** Something that is wrong, or not, with a release that follows {@link PREVIOUS}. */
export interface TrustCase {
  readonly name: string
  readonly offered: TestSet
  /** Fields of policy.toml that differ; null leaves one out. */
  readonly policy?: Readonly<Record<string, string | null>>
  readonly clock?: string
  /** freshness.json; SEEN where absent. */
  readonly state?: string
  /** null: it is accepted. */
  readonly refused: { readonly code: string; readonly field: string; readonly hint?: RegExp } | null
}

const signaturesRefused = { code: 'signature-refused', field: 'signatures' }
const good = () => signSet(release(6), ada)

/** The payload's text changed before it is signed: what no publisher of ours would write. */
function signedText(change: (text: string) => string): TestSet {
  const set = release(6)
  return { ...set, envelope: seal(Buffer.from(change(payloadOf(set.manifest).toString())), [ada]) }
}

/** An envelope that is changed after it is signed. */
function tampered(change: (envelope: { payload: string; signatures: Record<string, unknown>[] }) => void): TestSet {
  const set = good()
  const envelope = JSON.parse(set.envelope.toString())
  change(envelope)
  return { ...set, envelope: Buffer.from(JSON.stringify(envelope)) }
}

function twiceUnder(keyid: string | null): TestSet {
  const set = release(6)
  const payload = payloadOf(set.manifest)
  const { sig } = signPayload(MANIFEST_PAYLOAD_TYPE, payload, ada.privateKey)
  return { ...set, envelope: seal(payload, [ada, { keyid, sig }]) }
}

const field = (name: string) => ({ code: 'manifest-invalid', field: name })

export const TRUST_CASES: readonly TrustCase[] = [
  { name: 'a good release', offered: good(), refused: null },
  { name: 'no signature at all', offered: release(6), refused: { code: 'unsigned-refused', field: 'signatures' } },
  { name: 'a key that the image does not know', offered: signSet(release(6), eve), refused: signaturesRefused },
  {
    name: 'a strange key under the name of a known one',
    offered: tampered(({ payload, signatures }) => {
      const { sig } = signPayload(MANIFEST_PAYLOAD_TYPE, Buffer.from(payload, 'base64'), eve.privateKey)
      signatures[0] = { keyid: ada.id, sig: sig.toString('base64') }
    }),
    refused: signaturesRefused,
  },
  {
    name: 'a key supplied with its signature',
    offered: tampered(({ signatures }) => Object.assign(signatures[0]!, { publicKey: eve.pem })),
    refused: { code: 'envelope-invalid', field: 'signatures.0.publicKey' },
  },
  {
    name: 'a key supplied in the document that it signed',
    offered: signSet(changed({ keys: [eve.id], publicKey: eve.publicKey.toString('hex') }), eve),
    refused: signaturesRefused,
  },
  {
    name: 'threshold 2 and one signature',
    offered: good(),
    policy: { threshold: '2' },
    refused: signaturesRefused,
  },
  {
    name: 'threshold 2 and the same signature twice',
    offered: twiceUnder(ada.id),
    policy: { threshold: '2' },
    refused: signaturesRefused,
  },
  {
    name: 'threshold 2 and one key under two ids',
    offered: twiceUnder(ben.id),
    policy: { threshold: '2' },
    refused: signaturesRefused,
  },
  {
    name: 'threshold 2 and one key without an id',
    offered: twiceUnder(null),
    policy: { threshold: '2' },
    refused: signaturesRefused,
  },
  {
    name: 'threshold 2, two good signatures and a strange one',
    offered: signSet(release(6), eve, ada, ben),
    policy: { threshold: '2' },
    refused: null,
  },
  {
    name: 'an expired release',
    offered: signSet(changed({ expires_at: '2026-01-02T00:00:00Z' }), ada),
    clock: '2026-06-01T00:00:00Z',
    refused: { code: 'manifest-expired', field: 'expires_at' },
  },
  {
    name: 'a clock at 1970 and a release of after the image',
    offered: good(),
    clock: '1970-01-01T00:00:10Z',
    refused: null,
  },
  {
    name: 'a clock at 1970 and a release that had expired when the image was made',
    offered: signSet(changed({ expires_at: '2026-01-02T00:00:00Z' }), ada),
    policy: { built_at: '2026-03-01T00:00:00Z' },
    clock: '1970-01-01T00:00:10Z',
    refused: { code: 'manifest-expired', field: 'expires_at', hint: /set this machine's clock/ },
  },
  {
    name: 'a clock at 2099',
    offered: signSet(changed({ expires_at: '2027-01-01T00:00:00Z' }), ada),
    clock: '2099-01-01T00:00:00Z',
    refused: { code: 'manifest-expired', field: 'expires_at', hint: /clock is years ahead/ },
  },
  {
    name: 'a lower sequence',
    offered: signSet(release(4), ada),
    refused: { code: 'manifest-rollback', field: 'sequence' },
  },
  {
    name: 'the same sequence with other bytes',
    offered: signSet(release(5), ada),
    refused: { code: 'manifest-equivocation', field: 'sequence' },
  },
  {
    name: 'an absurdly high sequence',
    offered: signSet(release(Number.MAX_SAFE_INTEGER), ada),
    refused: { code: 'sequence-absurd', field: 'sequence' },
  },
  {
    name: 'a sequence below the image’s minimum',
    offered: good(),
    policy: { minimum_sequence: '7' },
    refused: { code: 'sequence-too-low', field: 'sequence' },
  },
  {
    name: 'another channel',
    offered: signSet(release(6, { channel: 'testing' }), ada),
    refused: { code: 'wrong-channel', field: 'channel' },
  },
  {
    name: 'another architecture',
    offered: signSet(release(6, { arch: hostArch() === 'arm64' ? 'x86_64' : 'arm64' }), ada),
    refused: { code: 'wrong-arch', field: 'arch' },
  },
  {
    name: 'a channel that the image does not boot',
    offered: good(),
    policy: { channels: '["testing"]' },
    refused: { code: 'channel-refused', field: 'channel' },
  },
  {
    name: 'an empty memory of releases',
    offered: good(),
    state: '',
    refused: { code: 'freshness-state-invalid', field: '(document)' },
  },
  {
    name: 'a corrupt memory of releases',
    offered: good(),
    state: seenFile(5).replace(':5', ':-5'),
    refused: { code: 'freshness-state-invalid', field: `channels.stable/${hostArch()}.sequence` },
  },
  {
    name: 'a payload of another type',
    offered: {
      ...release(6),
      envelope: Buffer.from(good().envelope.toString().replace('boot-manifest', 'boot-receipt')),
    },
    refused: { code: 'envelope-invalid', field: 'payloadType' },
  },
  {
    name: 'an envelope nested deeply',
    offered: { ...release(6), envelope: Buffer.from(`{"payload":${'['.repeat(200_000)}`) },
    refused: { code: 'envelope-invalid', field: 'payload.0.0.0' },
  },
  {
    name: 'a signed payload nested deeply',
    offered: signedText((text) => text.replace('{', `{"deep":${'['.repeat(40)}${']'.repeat(40)},`)),
    refused: field(`deep.${Array(15).fill(0).join('.')}`),
  },
  {
    name: 'a signed name twice',
    offered: signedText((text) => text.replace('"sequence":6', '"sequence":6,"sequence":7')),
    refused: field('sequence'),
  },
  {
    name: 'a signed __proto__',
    offered: signedText((text) => text.replace('"artifacts":{', '"artifacts":{"__proto__":{},')),
    refused: field('artifacts.__proto__'),
  },
  {
    name: 'a signed integer that would be rounded',
    offered: signedText((text) => text.replace('"sequence":6', '"sequence":9007199254740993')),
    refused: field('sequence'),
  },
  {
    name: 'a critical field that is not known here',
    offered: signSet(changed({ critical: ['phase_of_moon'], phase_of_moon: 'full' }), ada),
    refused: field('critical.0'),
  },
  {
    name: 'a critical field that is known, and one that may be passed over',
    offered: signSet(changed({ critical: ['sequence'], phase_of_moon: 'full' }), ada),
    refused: null,
  },
  {
    name: 'a digest of the wrong length',
    offered: signedText((text) => text.replace(/"hash":"sha256:../, '"hash":"sha256:')),
    refused: field('artifacts.kernel.hash'),
  },
  {
    name: 'an over-long file name',
    offered: signedText((text) => text.replaceAll('vmlinuz', 'v'.repeat(129))),
    refused: field('artifacts.kernel.filename'),
  },
]
