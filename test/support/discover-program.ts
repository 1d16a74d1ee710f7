import type { Candidate, RejectedCandidate } from '../../agent/candidate.ts'
import { DISCOVERY, discover } from '../../agent/discover.ts'
import { hostArch } from '../../service/arch.ts'

/** Runs discovery here and prints what it found as JSON: {found, told, error, milliseconds}. Argument: deadline in ms. */
const told: (Candidate | RejectedCandidate)[] = []
const startedAt = performance.now()
const outcome = await discover(
  { providers: [], channel: 'stable', arch: hostArch(), mode: 'local', storeRoot: '/nowhere' },
  (candidate) => told.push(candidate),
  { ...DISCOVERY, deadlineMs: Number(process.argv[2]) },
).then(
  (found) => ({ found, error: null }),
  (error) => ({ found: [], error: error.code }),
)
console.log(JSON.stringify({ ...outcome, told, milliseconds: performance.now() - startedAt }))
