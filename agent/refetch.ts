import { PlasmError } from '../service/errors.ts'
import type { SeenReleases } from '../service/freshness.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { Candidate } from './candidate.ts'
import { type CandidateLog, createCandidateLog } from './candidate-log.ts'
import type { AgentConfig } from './config.ts'
import { DISCOVERY, type DiscoverOptions, discover, othersWithin } from './discover.ts'
import { fetchIntoStore } from './fetch-into-store.ts'
import { createManifestAsker } from './fetch-manifests.ts'
import type { StoredSet } from './publish.ts'
import { type Choice, rank } from './rank.ts'
import { onlyAccepted, onlyAnswered } from './sift.ts'
import type { EventSink } from './steps.ts'
import { onStore } from './store-errors.ts'
import { publishComplete } from './store-writer.ts'

export interface Refetch {
  readonly config: AgentConfig
  readonly policy: TrustPolicy
  readonly seen: SeenReleases
  /** The set that was lost must not be followed by an older one. */
  readonly atLeast: number
  readonly emit: EventSink
  readonly discovery: DiscoverOptions | undefined
}

/**
 * Fetches a set from other providers into the store, where the one that lay there is lost (bit rot). Chosen as in the fetch
 * stage; what is still right of the lost set is kept, so that mostly one artifact is fetched. This machine is no candidate: it
 * does not advertise a set that it cannot prove, and discovery turns its own addresses down.
 * @throws PlasmError of discover.ts, fetch-manifests.ts, verify.ts, fetch-set.ts (the last provider's) and store-errors.ts |
 * `no-provider` where all have older sets only
 */
export async function refetch(request: Refetch): Promise<StoredSet> {
  const { config, emit, discovery = DISCOVERY } = request
  const log = createCandidateLog(emit)
  const candidates = await discover(config, log.found, discovery)
  const fresh = await freshOf(candidates, request, log).catch(async (thrown) => {
    if (othersWithin(config, discovery) === 0) throw thrown
    // Those who answered first are no good: there may be others, who take longer.
    const known = new Set(log.verdicts().map(({ url }) => url))
    return freshOf(await discover(config, log.found, discovery, known), request, log)
  })
  const ranked = rank(fresh, config.machine)
  log.ranked(ranked)
  const { storeRoot: root, channel } = config
  return onStore(root, async () => publishComplete(root, await fetchIntoStore({ root, channel, ranked, log })))
}

async function freshOf(
  candidates: readonly Candidate[],
  { config, policy, seen, atLeast }: Refetch,
  log: CandidateLog,
): Promise<readonly Choice[]> {
  const answered = onlyAnswered(await createManifestAsker(config, policy).answers(candidates), log)
  const accepted = onlyAccepted(answered, policy, config, log, { seen })
  const fresh = accepted.filter(({ candidate, verified: { manifest } }) => {
    if (manifest.sequence >= atLeast) return true
    log.rejected(candidate, `stale: sequence ${manifest.sequence}, this machine had ${atLeast}`)
    return false
  })
  if (fresh.length === 0) throw onlyOlder(atLeast, accepted)
  return fresh
}

function onlyOlder(atLeast: number, accepted: readonly Choice[]): PlasmError {
  const rejected = accepted.map(({ candidate, verified }) => `${candidate.url}: sequence ${verified.manifest.sequence}`)
  return new PlasmError('no-provider', `no provider has a set of sequence ${atLeast} or above`, {
    facts: { rejected },
    hint: 'start a provider of the release that this machine booted from, or of a newer one',
  })
}
