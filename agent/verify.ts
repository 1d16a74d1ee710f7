import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { type Manifest, parseManifest, sha256Of } from '../service/manifest.ts'
import type { TrustPolicy } from './trust.ts'

/** A manifest as it came, from a provider or a file. */
export interface RawManifest {
  readonly bytes: Uint8Array
  /** URL or path, for messages. */
  readonly from: string
}

/** Not exported: only {@link verify} can make a {@link VerifiedManifest}. */
const verified: unique symbol = Symbol('verified')

/** A manifest that this image's trust policy accepts, for this channel and architecture, and the exact bytes of it. */
export interface VerifiedManifest {
  readonly [verified]: true
  readonly manifest: Manifest
  /** The manifest digest, `sha256:<hex>`: the set's identity. */
  readonly digest: string
  readonly bytes: Uint8Array
  /** The file name under which the bytes travel on. */
  readonly file: 'manifest.json'
}

/**
 * Decides whether a manifest may be used.
 * @param now milliseconds since the epoch
 * @throws PlasmError `unsigned-refused` | `wrong-channel` | `wrong-arch` | `manifest-expired` | `manifest-invalid` |
 * `manifest-too-large`; all with the fact `from`
 */
export function verify(
  raw: RawManifest,
  policy: TrustPolicy,
  expected: { readonly channel: string; readonly arch: Arch },
  now: number = Date.now(),
): VerifiedManifest {
  const manifest = parse(raw)
  const { from } = raw
  if (!policy.allowUnsigned) {
    throw new PlasmError(
      'unsigned-refused',
      `the manifest from ${from} is not signed, and this image wants signatures`,
      {
        facts: { from },
        hint: 'publish a signed boot set, or bake `allow_unsigned = true` into a test image',
      },
    )
  }
  if (manifest.channel !== expected.channel) throw differs('channel', raw, expected.channel, manifest.channel)
  if (manifest.arch !== expected.arch) throw differs('arch', raw, expected.arch, manifest.arch)
  checkExpiry(manifest, from, now)
  return { [verified]: true, manifest, digest: sha256Of(raw.bytes), bytes: raw.bytes, file: 'manifest.json' }
}

function parse({ bytes, from }: RawManifest): Manifest {
  try {
    return parseManifest(bytes)
  } catch (thrown) {
    if (!(thrown instanceof PlasmError)) throw thrown
    const { code, message, facts, hint } = thrown
    const init = { facts: { ...facts, from }, cause: thrown }
    throw new PlasmError(code, `${from}: ${message}`, hint === undefined ? init : { ...init, hint })
  }
}

function differs(what: 'channel' | 'arch', { from }: RawManifest, expected: string, found: string): PlasmError {
  return new PlasmError(`wrong-${what}`, `the manifest from ${from} is for ${what} ${found}, not ${expected}`, {
    facts: { from, expected, found },
  })
}

/** A machine without a battery-backed clock starts long ago: a clock before the manifest's own making proves nothing. */
function checkExpiry(manifest: Manifest, from: string, now: number): void {
  const clockIsPlausible = now >= Date.parse(manifest.created_at)
  if (!clockIsPlausible || now < Date.parse(manifest.expires_at)) return
  throw new PlasmError('manifest-expired', `the manifest from ${from} expired at ${manifest.expires_at}`, {
    facts: { from, expiresAt: manifest.expires_at, clock: new Date(now).toISOString() },
    hint: "publish the set anew, or set this machine's clock if it is wrong",
  })
}
