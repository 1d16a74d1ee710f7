import { asPlasmError, PlasmError } from '../service/errors.ts'
import type { SeenReleases } from '../service/freshness.ts'
import { setBytes } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import { createCandidateLog } from './candidate-log.ts'
import type { AgentConfig } from './config.ts'
import { makeRoom } from './copy-set.ts'
import { DISCOVERY, type DiscoverOptions, discover } from './discover.ts'
import { createManifestAsker } from './fetch-manifests.ts'
import { fetchSet } from './fetch-set.ts'
import { exists, type StoredSet } from './publish.ts'
import { type Choice, rank } from './rank.ts'
import { onlyAccepted, onlyAnswered } from './sift.ts'
import type { EventSink } from './steps.ts'
import { onStore } from './store-errors.ts'
import { prepareStore } from './store-safety.ts'
import { createStoreWriter, publishComplete, type StoreWriter } from './store-writer.ts'

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
export async function refetch({ config, policy, seen, atLeast, emit, discovery }: Refetch): Promise<StoredSet> {
  const log = createCandidateLog(emit)
  const candidates = await discover(config, log.found, discovery ?? DISCOVERY)
  const answered = onlyAnswered(await createManifestAsker(config, policy).answers(candidates), log)
  const accepted = onlyAccepted(answered, policy, config, log, { seen })
  const fresh = accepted.filter(({ candidate, verified: { manifest } }) => {
    if (manifest.sequence >= atLeast) return true
    log.rejected(candidate, `stale: sequence ${manifest.sequence}, this machine had ${atLeast}`)
    return false
  })
  if (fresh.length === 0) throw onlyOlder(atLeast, accepted)
  const ranked = rank(fresh, config.machine)
  log.ranked(ranked.map(({ candidate }) => candidate))
  return onStore(config.storeRoot, () => fetchFromAny(config.storeRoot, config.channel, ranked, log))
}

async function fetchFromAny(
  root: string,
  channel: string,
  ranked: readonly Choice[],
  log: ReturnType<typeof createCandidateLog>,
): Promise<StoredSet> {
  await prepareStore(root, channel)
  let writer: StoreWriter | undefined
  let last: unknown
  try {
    for (const { candidate, verified } of ranked) {
      log.chosen(candidate)
      try {
        // Sets are never mixed; what one provider left verified of this one is there for the next.
        if (writer?.verified.digest !== verified.digest) {
          await writer?.discard()
          writer = undefined
          const old = storePaths(root).set(verified.digest)
          await makeRoom(root, setBytes(verified.manifest))
          writer = await createStoreWriter(root, verified, (await exists(old)) ? old : undefined)
        }
        const set = await publishComplete(root, await fetchSet(candidate.url, writer, () => {}))
        writer = undefined
        return set
      } catch (thrown) {
        const { code, message } = asPlasmError(thrown)
        log.rejected(candidate, `${message} [${code}]`)
        last = thrown
      }
    }
  } finally {
    await writer?.discard().catch(() => {})
  }
  throw last
}

function onlyOlder(atLeast: number, accepted: readonly Choice[]): PlasmError {
  const rejected = accepted.map(({ candidate, verified }) => `${candidate.url}: sequence ${verified.manifest.sequence}`)
  return new PlasmError('no-provider', `no provider has a set of sequence ${atLeast} or above`, {
    facts: { rejected },
    hint: 'start a provider of the release that this machine booted from, or of a newer one',
  })
}
