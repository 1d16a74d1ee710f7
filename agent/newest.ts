import { PlasmError } from '../service/errors.ts'
import { equivocation } from '../service/freshness.ts'
import type { Choice } from './rank.ts'

/**
 * What a provider of a signed set must have to be up to date, given all that were verified: the newest sequence, and one
 * document under it. What advertisements claim plays no part, and unsigned documents may claim any sequence.
 * @returns a check that throws PlasmError `manifest-stale` (facts: `from`, `field`, `sequence`, `newest`) | `manifest-equivocation`
 */
export function newestSigned(choices: readonly Choice[]): (choice: Choice) => void {
  const signed = choices.filter(({ verified }) => verified.signedBy.length > 0).map(({ verified }) => verified)
  const newest = Math.max(...signed.map(({ manifest }) => manifest.sequence))
  const digests = [
    ...new Set(signed.filter(({ manifest }) => manifest.sequence === newest).map(({ digest }) => digest)),
  ]
  return ({ candidate, verified: { manifest, digest, signedBy } }) => {
    if (signedBy.length === 0) return
    const { sequence } = manifest
    if (sequence < newest) {
      throw new PlasmError('manifest-stale', `stale: sequence ${sequence}, ${newest} is there`, {
        facts: { from: candidate.url, field: 'sequence', sequence, newest },
        hint: 'bring this provider up to date',
      })
    }
    const other = digests.find((one) => one !== digest)
    if (other !== undefined) throw equivocation(sequence, digest, other)
  }
}
