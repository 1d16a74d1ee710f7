import { createHash } from 'node:crypto'
import type { Candidate } from './candidate.ts'
import type { VerifiedManifest } from './verify.ts'

/** A provider whose manifest was accepted. */
export interface Choice {
  readonly candidate: Candidate
  readonly verified: VerifiedManifest
}

/** A choice in its place. */
export interface RankedChoice extends Choice {
  /** Why the first one comes before it; undefined for the first one itself. */
  readonly behind: string | undefined
}

/** What the order goes by besides the choices themselves. */
interface Client {
  /** This machine's name, the seed of its own order. */
  readonly machine: string
  /** Base URL -> how often it failed in this boot so far. */
  readonly failures: ReadonlyMap<string, number>
}

interface Rule {
  /** The smaller comes first. */
  key(choice: Choice, client: Client): number
  /** Why one with a greater key comes later. */
  behind(choice: Choice, first: Choice): string
}

const isBooted = ({ candidate }: Choice) => (candidate.generation ?? 0) >= 1
const sequenceOf = ({ verified }: Choice) => verified.manifest.sequence
const times = (count: number) => `${count} transfer${count === 1 ? '' : 's'}`

/** The first rule by which two differ decides. Only sequence and signatures are verified; the rest is what providers claim. */
const RULES: readonly Rule[] = [
  {
    key: ({ candidate }, { failures }) => failures.get(candidate.url) ?? 0,
    behind: () => 'it has failed in this boot',
  },
  {
    key: ({ verified }) => (verified.signedBy.length > 0 ? 0 : 1),
    behind: () => 'its set is not signed',
  },
  {
    key: (choice) => -sequenceOf(choice),
    behind: (choice, first) => `its sequence is ${sequenceOf(choice)}, and ${sequenceOf(first)} is there`,
  },
  {
    key: ({ candidate }) => (candidate.onLink === false ? 1 : 0),
    behind: () => 'it is behind a router',
  },
  {
    // Peers spare the origin.
    key: (choice) => (isBooted(choice) ? 0 : 1),
    behind: () => 'it is an origin, and booted machines are asked first',
  },
  {
    key: ({ candidate }) => candidate.load ?? 0,
    behind: ({ candidate }, first) =>
      `it says that ${times(candidate.load ?? 0)} are running there, and ${first.candidate.load ?? 0} at the first`,
  },
  {
    key: ({ candidate }, { machine }) =>
      createHash('sha256').update(`${machine} ${candidate.url}`).digest().readUInt32BE(0),
    behind: () => "they are equals, in this machine's own order, so that clients spread",
  },
]

/**
 * The order in which providers are tried: those that have not just failed, signed sets, the newest release, those on the same
 * link before those behind a router, booted machines before origins, the least loaded, and then each client in an order of
 * its own that stays.
 */
export function rank(
  choices: readonly Choice[],
  machine: string,
  failures: ReadonlyMap<string, number> = new Map(),
): readonly RankedChoice[] {
  const client = { machine, failures }
  const keyed = choices
    .map((choice) => ({ choice, keys: RULES.map(({ key }) => key(choice, client)) }))
    .sort((a, b) => compare(a.keys, b.keys))
  return keyed.map(({ choice, keys }) => {
    const first = keyed[0]!
    const rule = RULES.find((_, index) => keys[index] !== first.keys[index])
    return { ...choice, behind: choice === first.choice ? undefined : rule?.behind(choice, first.choice) }
  })
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((key, index) => key !== b[index])
  return at < 0 ? 0 : a[at]! - b[at]!
}
