import type { Arch } from '../service/arch.ts'
import { checkExpiry } from '../service/clock.ts'
import { derivedManifest } from '../service/derived-manifest.ts'
import { ENVELOPE_FILE } from '../service/dsse.ts'
import { PlasmError } from '../service/errors.ts'
import { checkSequence, NOTHING_SEEN, type SeenReleases } from '../service/freshness.ts'
import { MANIFEST_FILE, type Manifest, parseManifest, sha256Of } from '../service/manifest.ts'
import { openSignedManifest } from '../service/signed-manifest.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'

/** A manifest as it came, from a provider or a file. */
export interface RawManifest {
  readonly bytes: Uint8Array
  /** URL or path, for messages. */
  readonly from: string
  /** `signed`: an envelope; `plain`: a manifest.json. */
  readonly form: 'signed' | 'plain'
}

/** Not exported: only {@link verify} can make a {@link VerifiedManifest}. */
const verified: unique symbol = Symbol('verified')

/** A manifest that this image's trust policy accepts, for this channel and architecture, and the exact bytes of it. */
export interface VerifiedManifest {
  readonly [verified]: true
  readonly manifest: Manifest
  /** The manifest digest, `sha256:<hex>`: the set's identity. Of the payload where it is signed. */
  readonly digest: string
  /** The document as received: it travels on byte for byte. */
  readonly bytes: Uint8Array
  /** The file name under which the bytes travel on. */
  readonly file: typeof ENVELOPE_FILE | typeof MANIFEST_FILE
  /** What old clients get as manifest.json: the same bytes where the document is plain. */
  readonly plain: Uint8Array
  /** Ids of the trusted keys that signed it; empty when nobody asked for signatures. */
  readonly signedBy: readonly string[]
}

/** What is decided by, besides the policy. */
export interface Situation {
  /** The machine's clock, milliseconds since 1970. */
  readonly now?: number
  readonly seen?: SeenReleases
}

type Opened = Omit<VerifiedManifest, typeof verified | 'bytes'>

/**
 * Decides whether a manifest may be used.
 * @throws PlasmError `unsigned-refused` | `signature-refused` | `envelope-invalid` | `manifest-invalid` |
 * `manifest-too-large` | `wrong-channel` | `wrong-arch` | `channel-refused` | what clock.ts and freshness.ts throw; all with
 * the fact `from`, and with `field` where one is to blame
 */
export function verify(
  raw: RawManifest,
  policy: TrustPolicy,
  expected: { readonly channel: string; readonly arch: Arch },
  { now = Date.now(), seen = NOTHING_SEEN }: Situation = {},
): VerifiedManifest {
  try {
    const opened = raw.form === 'signed' ? openEnvelope(raw.bytes, policy) : openPlain(raw.bytes, policy)
    const { manifest, digest } = opened
    if (manifest.channel !== expected.channel) throw differs('channel', expected.channel, manifest.channel)
    if (manifest.arch !== expected.arch) throw differs('arch', expected.arch, manifest.arch)
    checkChannel(manifest, policy)
    checkExpiry(manifest, policy, now)
    checkSequence({ manifest, digest, signed: opened.signedBy.length > 0 }, policy, seen)
    return { [verified]: true, ...opened, bytes: raw.bytes }
  } catch (thrown) {
    throw blaming(raw.from, thrown)
  }
}

function openEnvelope(bytes: Uint8Array, policy: TrustPolicy): Opened {
  const { manifest, payload, digest, signedBy } = openSignedManifest(bytes, policy)
  return { manifest, digest, signedBy, file: ENVELOPE_FILE, plain: derivedManifest(payload) }
}

function openPlain(bytes: Uint8Array, { allowUnsigned }: TrustPolicy): Opened {
  const manifest = parseManifest(bytes)
  if (allowUnsigned) return { manifest, digest: sha256Of(bytes), signedBy: [], file: MANIFEST_FILE, plain: bytes }
  throw new PlasmError('unsigned-refused', 'the manifest is not signed, and this image wants signatures', {
    facts: { field: 'signatures' },
    hint: 'publish a signed boot set (`plasmd manifest sign`), or bake `allow_unsigned = true` into a test image',
  })
}

function differs(what: 'channel' | 'arch', expected: string, found: string): PlasmError {
  return new PlasmError(`wrong-${what}`, `the manifest is for ${what} ${found}, not ${expected}`, {
    facts: { field: what, expected, found },
  })
}

function checkChannel({ channel }: Manifest, { channels }: TrustPolicy): void {
  if (channels === null || channels.includes(channel)) return
  throw new PlasmError('channel-refused', `this image boots ${channels.join(', ')}, not ${channel}`, {
    facts: { field: 'channel', found: channel, channels },
    hint: 'which channels may be booted is baked into the image; phase.channel= only picks one of them',
  })
}

/** Whoever gave the document is named with everything that is wrong with it. */
function blaming(from: string, thrown: unknown): unknown {
  if (!(thrown instanceof PlasmError)) return thrown
  const { code, message, facts, hint } = thrown
  const init = { facts: { ...facts, from }, cause: thrown }
  return new PlasmError(code, `${from}: ${message}`, hint === undefined ? init : { ...init, hint })
}
