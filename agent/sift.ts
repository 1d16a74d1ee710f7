import { asPlasmError } from '../service/errors.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { CandidateLog } from './candidate-log.ts'
import type { AgentConfig } from './config.ts'
import type { Answered, ManifestAnswer } from './fetch-manifests.ts'
import { newestSigned } from './newest.ts'
import type { Choice } from './rank.ts'
import { type Situation, verify } from './verify.ts'

/** The candidates that gave a manifest. @throws PlasmError the first one's failure when none did */
export function onlyAnswered(answers: readonly ManifestAnswer[], log: CandidateLog): readonly Answered[] {
  return sift(answers, log, (answer) => {
    if ('error' in answer) throw answer.error
    return answer
  })
}

/**
 * The candidates whose manifest this image accepts, and which are up to date among them.
 * @throws PlasmError the first one's failure when none is
 */
export function onlyAccepted(
  answered: readonly Answered[],
  policy: TrustPolicy,
  config: Pick<AgentConfig, 'channel' | 'arch'>,
  log: CandidateLog,
  situation: Situation & { readonly failures?: ReadonlyMap<string, number> } = {},
): readonly Choice[] {
  const choices = sift(answered, log, ({ candidate, raw }) => ({
    candidate,
    verified: verify(raw, policy, config, situation),
  }))
  const refuseStale = newestSigned(choices, situation.failures)
  return sift(choices, log, (choice) => {
    refuseStale(choice)
    return choice
  })
}

function sift<From extends Pick<Answered, 'candidate'>, To>(
  items: readonly From[],
  log: CandidateLog,
  accept: (item: From) => To,
): readonly To[] {
  const accepted: To[] = []
  const failures: unknown[] = []
  for (const item of items) {
    try {
      accepted.push(accept(item))
    } catch (thrown) {
      const { code, message } = asPlasmError(thrown)
      log.rejected(item.candidate, `${message} [${code}]`)
      failures.push(thrown)
    }
  }
  if (accepted.length === 0) throw failures[0]
  return accepted
}
