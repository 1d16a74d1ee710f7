import type { Candidate, RejectedCandidate } from './candidate.ts'

/** Told of every candidate of a source, and of every rejection with its reason, as they come; the same one again and again. */
export type Consider = (found: Candidate | RejectedCandidate) => void

/** One way of looking for providers. Looks until aborted, and ends then; never throws. */
export type Source = (consider: Consider, signal: AbortSignal) => Promise<void>
