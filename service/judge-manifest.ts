import { checkExpiry } from './clock.ts'
import { MANIFEST_PAYLOAD_TYPE, parseEnvelope } from './dsse.ts'
import { asPlasmError } from './errors.ts'
import { checkSequence, NOTHING_SEEN } from './freshness.ts'
import { type Manifest, parseManifest, sha256Of } from './manifest.ts'
import type { ManifestSource } from './manifest-source.ts'
import { judgeSignatures, type SignatureVerdict } from './signatures.ts'
import { openSignedManifest } from './signed-manifest.ts'
import type { TrustPolicy } from './trust-policy.ts'

/** What a machine with a policy would make of a manifest. */
export interface Judgement {
  /** Null where it cannot be read, or is not to be. */
  readonly manifest: Manifest | null
  readonly digest: string | null
  readonly signatures: readonly SignatureVerdict[]
  /** Why it is refused; none where it is accepted. */
  readonly problems: ReadonlyArray<{ readonly code: string; readonly message: string }>
}

/** For people: unlike the agent, which stops at the first problem, this tells all of them. */
export function judgeManifest(source: ManifestSource, policy: TrustPolicy, now = Date.now()): Judgement {
  const problems: { code: string; message: string }[] = []
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work()
    } catch (thrown) {
      const { code, message } = asPlasmError(thrown)
      problems.push({ code, message })
      return undefined
    }
  }
  const signatures = source.form === 'signed' ? signaturesOf(source.bytes, policy) : []
  const opened = attempt(() => open(source, policy))
  if (!opened) return { manifest: null, digest: null, signatures, problems }
  const { manifest, digest } = opened
  if (source.form === 'plain' && !policy.allowUnsigned) {
    problems.push({ code: 'unsigned-refused', message: 'it is not signed, and the policy wants signatures' })
  }
  if (policy.channels && !policy.channels.includes(manifest.channel)) {
    problems.push({ code: 'channel-refused', message: `the policy boots ${policy.channels.join(', ')} only` })
  }
  attempt(() => checkExpiry(manifest, policy, now))
  attempt(() => checkSequence({ manifest, digest, signed: source.form === 'signed' }, policy, NOTHING_SEEN))
  return { manifest, digest, signatures, problems }
}

function open({ bytes, form }: ManifestSource, policy: TrustPolicy): { manifest: Manifest; digest: string } {
  return form === 'signed'
    ? openSignedManifest(bytes, policy)
    : { manifest: parseManifest(bytes), digest: sha256Of(bytes) }
}

/** None where the envelope is broken, which opening it will tell. */
function signaturesOf(bytes: Uint8Array, { keys }: TrustPolicy): readonly SignatureVerdict[] {
  try {
    return judgeSignatures(parseEnvelope(bytes, MANIFEST_PAYLOAD_TYPE), keys)
  } catch {
    return []
  }
}
