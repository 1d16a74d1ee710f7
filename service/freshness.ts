import { PlasmError } from './errors.ts'
import type { Manifest } from './manifest.ts'
import type { TrustPolicy } from './trust-policy.ts'

/** The newest release of one channel and architecture that this machine has used. */
export interface SeenRelease {
  readonly sequence: number
  /** Manifest digest. */
  readonly digest: string
}

/** What a machine remembers of the releases that it has used. */
export interface SeenReleases {
  /** By `<channel>/<arch>`. */
  readonly newest: ReadonlyMap<string, SeenRelease>
  /** Manifest digests of sets that this machine has booted in vain. */
  readonly bad: ReadonlySet<string>
}

export const NOTHING_SEEN: SeenReleases = { newest: new Map(), bad: new Set() }

/**
 * Sequences above this are taken for a mistake or an attack: a machine that had once believed one would refuse every later
 * release. Leaves room for a release a second, counted in seconds since 1970; milliseconds do not fit.
 */
export const SEQUENCE_MAX = 2 ** 40

export const placeOf = ({ channel, arch }: Pick<Manifest, 'channel' | 'arch'>): string => `${channel}/${arch}`

/** @param signed an unsigned document may claim any sequence: it is only held to the image's minimum */
export interface Release {
  readonly manifest: Manifest
  readonly digest: string
  readonly signed: boolean
}

/**
 * A release never goes back (TUF calls it rollback), is never two things under one number, and has not failed here before.
 * @throws PlasmError `set-known-bad` | `sequence-too-low` | `sequence-absurd` | `manifest-rollback` | `manifest-equivocation`, each with the
 * facts `field`, `sequence` and what it was measured by
 */
export function checkSequence(release: Release, { minimumSequence }: TrustPolicy, seen: SeenReleases): void {
  const { manifest, digest, signed } = release
  const { sequence } = manifest
  const about = { field: 'sequence', sequence }
  if (seen.bad.has(digest)) {
    throw new PlasmError('set-known-bad', 'this machine has booted it before, and it did not become ready', {
      facts: { field: 'digest', digest, sequence },
      hint: 'publish a release that comes up on this machine; `plasm-agent status` says how it failed',
    })
  }
  if (sequence < minimumSequence) {
    throw new PlasmError(
      'sequence-too-low',
      `its sequence ${sequence} is below ${minimumSequence}, the image's minimum`,
      {
        facts: { ...about, minimum: minimumSequence },
        hint: 'publish a release with a higher sequence',
      },
    )
  }
  if (!signed) return
  if (sequence > SEQUENCE_MAX) {
    throw new PlasmError('sequence-absurd', `its sequence ${sequence} is above ${SEQUENCE_MAX}`, {
      facts: { ...about, maximum: SEQUENCE_MAX },
      hint: 'count releases, or seconds; after a stolen key, rotate it (docs/trust.md)',
    })
  }
  const last = seen.newest.get(placeOf(manifest))
  if (!last) return
  if (sequence < last.sequence) {
    throw new PlasmError(
      'manifest-rollback',
      `its sequence ${sequence} is below ${last.sequence}, which was used here`,
      {
        facts: { ...about, seen: last.sequence },
        hint: 'an old release is offered again: bring this provider up to date, or publish the old content as a new release',
      },
    )
  }
  if (sequence === last.sequence && digest !== last.digest) throw equivocation(sequence, digest, last.digest)
}

/** Two documents, both signed, under one number: the publisher made a mistake, or somebody else has the key. */
export function equivocation(sequence: number, found: string, seen: string): PlasmError {
  return new PlasmError('manifest-equivocation', `sequence ${sequence} was signed twice, as ${found} and as ${seen}`, {
    facts: { field: 'sequence', sequence, found, seen },
    hint: 'look who else has the signing key; then publish a release with a higher sequence (docs/trust.md)',
  })
}
