import type { Candidate, RejectedCandidate } from '../../agent/candidate.ts'
import { DISCOVERY, discover } from '../../agent/discover.ts'

/** Runs discovery here and prints what it found as JSON: {found, told, error, milliseconds}. Argument: deadline in ms. */
const told: (Candidate | RejectedCandidate)[] = []
const startedAt = performance.now()
const outcome = await discover(
  { providers: [], channel: 'stable', arch: 'x86_64' },
  (candidate) => told.push(candidate),
  { ...DISCOVERY, deadlineMs: Number(process.argv[2]) },
).then(
  (found) => ({ found, error: null }),
  (error) => ({ found: [], error: error.code }),
)
console.log(JSON.stringify({ ...outcome, told, milliseconds: performance.now() - startedAt }))
