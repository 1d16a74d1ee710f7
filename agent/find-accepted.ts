import { asPlasmError } from '../service/errors.ts'
import { bootFromCache } from './boot-from-cache.ts'
import type { Attempts } from './boot-parts.ts'
import type { Candidate, RejectedCandidate } from './candidate.ts'
import type { CandidateLog } from './candidate-log.ts'
import { DISCOVERY, discover, othersWithin } from './discover.ts'
import { createManifestAsker, type ManifestAsker } from './fetch-manifests.ts'
import { readSeen } from './freshness-file.ts'
import type { Choice } from './rank.ts'
import { onlyAccepted, onlyAnswered } from './sift.ts'
import { STATE_DIRECTORY } from './state-directory.ts'
import { verify } from './verify.ts'

/**
 * Providers whose manifests this machine accepts. Those who answer first and of whom none is any good do not end the search: it looks
 * once more, for others. Whoever finds nobody boots from its own disk, if it holds a set.
 * @throws what the last look failed with
 */
export async function findAccepted(attempts: Attempts, log: CandidateLog): Promise<readonly Choice[]> {
  const known = new Set(attempts.failures.keys())
  const { config, parts } = attempts
  try {
    return await look(attempts, log, known).catch((thrown) => {
      if (othersWithin(config, parts.discovery ?? DISCOVERY) === 0 || asPlasmError(thrown).code === 'no-provider')
        throw thrown
      for (const { url } of log.verdicts()) known.add(url)
      return look(attempts, log, known)
    })
  } catch (thrown) {
    const { code } = asPlasmError(thrown)
    // Those of an old release above all: what they have this machine has used up, and its disk holds better.
    if (code === 'no-provider' || attempts.refusedAll) return bootFromCache(attempts, log, thrown)
    throw thrown
  }
}

/** @param known who is no reason to end the search early */
async function look(attempts: Attempts, log: CandidateLog, known: ReadonlySet<string>): Promise<readonly Choice[]> {
  const { parts, runner, config, policy, failures } = attempts
  attempts.refusedAll = false
  const manifests = createManifestAsker(config, policy)
  const candidates = await runner.step('discover', () =>
    discover(config, asking(manifests, attempts, log), parts.discovery, known),
  )
  const answered = await runner.step('manifests', async () => onlyAnswered(await manifests.answers(candidates), log))
  attempts.refusedAll = true
  const accepted = await runner.step('verify', async () =>
    onlyAccepted(answered, policy, config, log, {
      seen: await readSeen(parts.stateDirectory ?? STATE_DIRECTORY),
      failures,
    }),
  )
  attempts.refusedAll = false
  return accepted
}

/**
 * What is found is asked for its manifest while more answers are waited for, when the processor is idle. The first one is verified then,
 * too, for the sake of time alone: an emulated guest takes ten times as long for what it does first. Step `verify` decides.
 */
function asking(
  manifests: ManifestAsker,
  { policy, config }: Pick<Attempts, 'policy' | 'config'>,
  log: CandidateLog,
): (found: Candidate | RejectedCandidate) => void {
  let tried = false
  return (found) => {
    log.found(found)
    if ('reason' in found) return
    void manifests.begin(found).then((raw) => {
      if (!raw || tried) return
      tried = true
      try {
        verify(raw, policy, config)
      } catch {}
    })
  }
}
