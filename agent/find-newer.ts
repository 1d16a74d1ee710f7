import { PlasmError } from '../service/errors.ts'
import type { SeenReleases } from '../service/freshness.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { Candidate } from './candidate.ts'
import { type CandidateLog, createCandidateLog } from './candidate-log.ts'
import type { AgentConfig } from './config.ts'
import { type DiscoverOptions, discover } from './discover.ts'
import { createManifestAsker } from './fetch-manifests.ts'
import { type Choice, rank } from './rank.ts'
import { onlyAccepted, onlyAnswered } from './sift.ts'
import type { VerifiedManifest } from './verify.ts'

export interface NewerSearch {
  readonly config: AgentConfig
  readonly policy: TrustPolicy
  readonly seen: SeenReleases
  readonly served: VerifiedManifest
  /** Base URL -> how often a fetch from there has failed. */
  readonly failures: ReadonlyMap<string, number>
  readonly discovery: DiscoverOptions
  /** Also those whose advertisement says that they have nothing newer. */
  readonly askAll: boolean
}

/** What there is beside what is served here. */
export interface Offers {
  /** Sets to take, the best first; none where this machine is up to date. */
  readonly ranked: readonly Choice[]
  /** How many providers were found. */
  readonly found: number
  /** Providers that were turned down, with the reason, beside those that merely have nothing newer. */
  readonly refused: readonly Refused[]
}

export interface Refused {
  readonly url: string
  readonly reason: string
}

/**
 * Looks for sets that are newer than the one that is served, by the rules of the fetch stage. A provider whose set is
 * refused is no failure here: this machine has something to serve.
 * @throws PlasmError `no-provider` where there is no other one
 */
export async function findNewer(search: NewerSearch): Promise<Offers> {
  const { config, policy, seen, served, failures, discovery, askAll } = search
  const log = createCandidateLog(() => {})
  const candidates = await discover(config, log.found, discovery)
  const asked = askAll ? candidates : candidates.filter((candidate) => mayHaveNewer(candidate, served))
  const answers = await createManifestAsker(config, policy).answers(asked)
  const answered = someOf(answers, () => onlyAnswered(answers, log))
  const newer = someOf(answered, () => onlyAccepted(answered, policy, config, log, { seen, failures }))
  const wanted = newer.filter(({ candidate, verified }) => {
    const reason = reasonToLeave(verified, served)
    if (reason !== undefined && verified.manifest.sequence > served.manifest.sequence) log.rejected(candidate, reason)
    return reason === undefined
  })
  const refused = refusedIn(log).filter((one) => candidates.some(({ url }) => url === one.url))
  return { ranked: rank(wanted, config.machine, failures), found: candidates.length, refused }
}

/** Most providers of a link serve what this machine serves, and say so: each asking each would be much for nothing. */
function mayHaveNewer({ sequence }: Candidate, served: VerifiedManifest): boolean {
  return sequence === undefined || sequence > served.manifest.sequence
}

/** Why a set is no successor of the one that is served; undefined: it is one. */
export function reasonToLeave(offered: VerifiedManifest, served: VerifiedManifest): string | undefined {
  const [there, here] = [offered.manifest.sequence, served.manifest.sequence]
  if (there <= here) return `its sequence ${there} is not above ${here}, which is served`
  if (offered.signedBy.length === 0 && served.signedBy.length > 0) return 'it is not signed, and what is served is'
  return undefined
}

/** Where all are turned down, what was sifted throws the first one's reason: the log has them all. */
function someOf<T>(of: readonly unknown[], sift: () => readonly T[]): readonly T[] {
  try {
    return of.length === 0 ? [] : sift()
  } catch (thrown) {
    if (thrown instanceof PlasmError) return []
    throw thrown
  }
}

const REJECTED = 'rejected: '
/** To be behind is what most providers are for a while, when there is something newer. */
const BEHIND = /\[manifest-(rollback|stale)\]$/

function refusedIn(log: CandidateLog): readonly Refused[] {
  return log
    .verdicts()
    .filter(({ verdict }) => verdict.startsWith(REJECTED) && !BEHIND.test(verdict))
    .map(({ url, verdict }) => ({ url, reason: verdict.slice(REJECTED.length) }))
}
