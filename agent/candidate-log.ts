import type { CandidateVerdict } from './boot-record.ts'
import type { Candidate, RejectedCandidate } from './candidate.ts'
import type { RankedChoice } from './rank.ts'
import type { EventSink } from './steps.ts'

/** Tells what becomes of every candidate, and remembers it for the boot record. */
export interface CandidateLog {
  found(candidate: Candidate | RejectedCandidate): void
  ranked(choices: readonly RankedChoice[]): void
  chosen(candidate: Candidate): void
  rejected(candidate: Candidate, reason: string): void
  verdicts(): readonly CandidateVerdict[]
}

export function createCandidateLog(emit: EventSink): CandidateLog {
  const verdicts = new Map<string, CandidateVerdict>()
  const remember = ({ url, source, name, generation, sequence, peerId }: Candidate, verdict: string) => {
    const claims = { ...(sequence === undefined ? {} : { sequence }), ...(peerId === undefined ? {} : { peerId }) }
    verdicts.set(url, { url, source, name, generation, ...claims, verdict })
  }
  const tell = (candidate: Candidate, verdict: 'found' | 'chosen' | 'rejected', reason?: string) => {
    const { url, source, generation } = candidate
    emit({ type: 'candidate', url, source, generation, verdict, ...(reason === undefined ? {} : { reason }) })
  }
  const rejected = (candidate: Candidate, reason: string) => {
    remember(candidate, `rejected: ${reason}`)
    tell(candidate, 'rejected', reason)
  }
  return {
    rejected,
    found(candidate) {
      if ('reason' in candidate) return rejected(candidate, candidate.reason)
      remember(candidate, 'found')
      tell(candidate, 'found')
    },
    ranked(choices) {
      for (const [index, { candidate, behind }] of choices.entries()) {
        remember(candidate, `ranked ${index + 1}${behind === undefined ? '' : `: ${behind}`}`)
      }
    },
    chosen(candidate) {
      remember(candidate, 'chosen')
      tell(candidate, 'chosen')
    },
    verdicts: () => [...verdicts.values()],
  }
}
