import { PlasmError } from '../service/errors.ts'
import { equivocation } from '../service/freshness.ts'
import type { Choice } from './rank.ts'

/**
 * What a provider of a signed set must have to be up to date, given all that were verified: the newest sequence, and one
 * document under it. What advertisements claim plays no part, and unsigned documents may claim any sequence. A provider
 * that has failed makes no other one stale: anybody can hand on the newest envelope and no artifacts.
 * @param failures base URL -> how often it failed in this boot so far
 * @returns a check that throws PlasmError `manifest-stale` (facts: `from`, `field`, `sequence`, `newest`) | `manifest-equivocation`
 */
export function newestSigned(
  choices: readonly Choice[],
  failures: ReadonlyMap<string, number> = new Map(),
): (choice: Choice) => void {
  const signed = choices.filter(
    ({ candidate, verified }) => verified.signedBy.length > 0 && !failures.get(candidate.url),
  )
  const newest = Math.max(...signed.map(({ verified }) => verified.manifest.sequence))
  const digestsOf = (sequence: number) =>
    choices
      .filter(({ verified }) => verified.signedBy.length > 0 && verified.manifest.sequence === sequence)
      .map(({ verified }) => verified.digest)
  return ({ candidate, verified: { manifest, digest, signedBy } }) => {
    if (signedBy.length === 0) return
    const { sequence } = manifest
    if (sequence < newest) {
      throw new PlasmError('manifest-stale', `stale: sequence ${sequence}, ${newest} is there`, {
        facts: { from: candidate.url, field: 'sequence', sequence, newest },
        hint: 'bring this provider up to date',
      })
    }
    const other = digestsOf(sequence).find((one) => one !== digest)
    if (other !== undefined) throw equivocation(sequence, digest, other)
  }
}
