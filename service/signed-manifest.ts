import { MANIFEST_PAYLOAD_TYPE, parseEnvelope } from './dsse.ts'
import { PlasmError } from './errors.ts'
import { type Manifest, parsePayload, sha256Of } from './manifest.ts'
import { judgeSignatures, type SignatureVerdict, verdictLine } from './signatures.ts'
import type { TrustPolicy } from './trust-policy.ts'

/** A console is read by people, and an emulated one is slow. */
const LINES_SHOWN = 3

/** A manifest out of an envelope that enough trusted keys signed. Says nothing about its age. */
export interface SignedManifest {
  readonly manifest: Manifest
  /** The exact bytes that were signed. */
  readonly payload: Buffer
  /** The manifest digest: `sha256:<hex>` of the payload. */
  readonly digest: string
  /** Ids of the keys that count; empty only where the policy has no keys. */
  readonly signedBy: readonly string[]
  readonly verdicts: readonly SignatureVerdict[]
}

/**
 * Opens an envelope: signatures first, over the payload's exact bytes, and only then is the payload looked at.
 * @throws PlasmError `envelope-invalid` | `signature-refused` (facts: `threshold`, `counted`, `verdicts`) | `manifest-invalid`
 */
export function openSignedManifest(
  bytes: Uint8Array,
  { keys, threshold, allowUnsigned }: Pick<TrustPolicy, 'keys' | 'threshold' | 'allowUnsigned'>,
): SignedManifest {
  const envelope = parseEnvelope(bytes, MANIFEST_PAYLOAD_TYPE)
  const verdicts = judgeSignatures(envelope, keys)
  const signedBy = verdicts.flatMap(({ counts, key }) => (counts && key !== null ? [key] : []))
  const needsNone = keys.length === 0 && allowUnsigned
  if (!needsNone && (keys.length === 0 || signedBy.length < threshold)) throw refused(threshold, signedBy, verdicts)
  const { payload } = envelope
  return { manifest: parsePayload(payload), payload, digest: sha256Of(payload), signedBy, verdicts }
}

function refused(threshold: number, signedBy: readonly string[], verdicts: readonly SignatureVerdict[]): PlasmError {
  const lines = verdicts.map(verdictLine)
  const counted = signedBy.length
  const shown =
    lines.length > LINES_SHOWN ? [...lines.slice(0, LINES_SHOWN), `and ${lines.length - LINES_SHOWN} more`] : lines
  return new PlasmError(
    'signature-refused',
    `${counted} of ${threshold} signatures that this image wants count (${shown.join('; ')})`,
    {
      facts: { field: 'signatures', threshold, counted, verdicts: lines },
      hint: 'who serves this is no mirror of your publisher, or the image has other keys: `plasmd manifest verify` tells more',
    },
  )
}
