import { checkExpiry } from '../service/clock.ts'
import { asPlasmError } from '../service/errors.ts'
import { checkSequence, NOTHING_SEEN, type SeenReleases } from '../service/freshness.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { VerifiedManifest } from './verify.ts'

/**
 * Whether a set that was accepted would no longer be: it has expired since, or a newer one was used meanwhile.
 * @returns why, in words, or undefined
 */
export function outdated(
  { manifest, digest, signedBy }: VerifiedManifest,
  policy: TrustPolicy,
  seen: SeenReleases = NOTHING_SEEN,
  now = Date.now(),
): string | undefined {
  try {
    checkExpiry(manifest, policy, now)
    checkSequence({ manifest, digest, signed: signedBy.length > 0 }, policy, seen)
    return undefined
  } catch (thrown) {
    const { message, code } = asPlasmError(thrown)
    return `the set is no longer to be served: ${message} [${code}]`
  }
}
