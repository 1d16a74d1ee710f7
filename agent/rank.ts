import { createHash } from 'node:crypto'
import type { Candidate } from './candidate.ts'
import type { VerifiedManifest } from './verify.ts'

/** A provider whose manifest was accepted. */
export interface Choice {
  readonly candidate: Candidate
  readonly verified: VerifiedManifest
}

/**
 * The order in which providers are tried: those that have not just failed, signed sets, the newest release, booted machines
 * before origins (peers spare the origin), and then each client in an order of its own, so that many clients spread.
 * @param machine this machine's name, the seed of its own order
 * @param failures base URL -> how often it failed in this boot so far
 */
export function rank(
  choices: readonly Choice[],
  machine: string,
  failures: ReadonlyMap<string, number> = new Map(),
): readonly Choice[] {
  const keyed = choices.map((choice) => {
    const { url, generation } = choice.candidate
    const keys = [
      failures.get(url) ?? 0,
      choice.verified.signedBy.length > 0 ? 0 : 1,
      -choice.verified.manifest.sequence,
      (generation ?? 0) >= 1 ? 0 : 1,
      jitter(machine, url),
    ]
    return { choice, keys }
  })
  return keyed.sort((a, b) => compare(a.keys, b.keys)).map(({ choice }) => choice)
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((key, index) => key !== b[index])
  return at < 0 ? 0 : a[at]! - b[at]!
}

function jitter(machine: string, url: string): number {
  return createHash('sha256').update(`${machine} ${url}`).digest().readUInt32BE(0)
}
