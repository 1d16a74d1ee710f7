import { PlasmError } from './errors.ts'
import type { Manifest } from './manifest.ts'
import type { TrustPolicy } from './trust-policy.ts'

/** A clock so far ahead of a release's making is more likely wrong than right. */
const FAR_AHEAD_MS = 10 * 365 * 24 * 3600 * 1000

/** The time that decides: the machine's own, never earlier than the image's making. Milliseconds since 1970. */
export function decidingClock({ builtAt }: Pick<TrustPolicy, 'builtAt'>, now: number): number {
  return Math.max(now, builtAt?.getTime() ?? 0)
}

/**
 * What is certainly wrong with the machine's clock, in words; undefined where nothing is. Machines without a battery start
 * long ago.
 */
export function clockProblem(
  { created_at }: Pick<Manifest, 'created_at'>,
  policy: Pick<TrustPolicy, 'builtAt'>,
  now: number,
): string | undefined {
  const beforeImage = clockBeforeImage(policy, now)
  if (beforeImage !== undefined) return beforeImage
  return now < Date.parse(created_at) ? `${says(now)}, and the release was made at ${created_at}` : undefined
}

/** The same, as far as the image alone can tell. */
export function clockBeforeImage({ builtAt }: Pick<TrustPolicy, 'builtAt'>, now: number): string | undefined {
  if (!builtAt || now >= builtAt.getTime()) return undefined
  return `${says(now)}, and its image was made at ${builtAt.toISOString()}`
}

const says = (now: number) => `the clock of this machine says ${new Date(now).toISOString()}`

/**
 * @throws PlasmError `manifest-expired` (facts: `field`, `expiresAt`, `clock`, and `decided` where another time than the clock
 * decided). Without an image's time, a clock before the release's making proves nothing, and nothing expires by it.
 */
export function checkExpiry(manifest: Manifest, policy: Pick<TrustPolicy, 'builtAt'>, now: number): void {
  const decided = decidingClock(policy, now)
  const created = Date.parse(manifest.created_at)
  if (decided < Date.parse(manifest.expires_at) || (!policy.builtAt && now < created)) return
  const wrong = clockProblem(manifest, policy, now)
  const ahead = decided - created > FAR_AHEAD_MS
  throw new PlasmError('manifest-expired', `it expired at ${manifest.expires_at}${wrong ? ` (${wrong})` : ''}`, {
    facts: {
      field: 'expires_at',
      expiresAt: manifest.expires_at,
      clock: new Date(now).toISOString(),
      ...(decided === now ? {} : { decided: new Date(decided).toISOString() }),
    },
    hint: wrong
      ? "set this machine's clock; the release is older than the image as well, so publish it anew"
      : ahead
        ? "this machine's clock is years ahead of the release and probably wrong: set it; else publish the set anew"
        : "publish the set anew, or set this machine's clock if it is wrong",
  })
}
