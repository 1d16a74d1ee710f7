import type { Candidate, RejectedCandidate } from '../../agent/candidate.ts'
import { DISCOVERY, discover } from '../../agent/discover.ts'
import { hostArch } from '../../service/arch.ts'

/**
 * Runs discovery here and prints what it found as JSON: {found, told, error, milliseconds}. Arguments: deadline in ms; then, to look
 * in the DHT, too, whom to join by. PROVIDER names a provider; KNOWN one that was no good.
 */
const [deadline, ...bootstrap] = process.argv.slice(2)
const { PROVIDER, KNOWN } = process.env
const told: (Candidate | RejectedCandidate)[] = []
const startedAt = performance.now()
const outcome = await discover(
  {
    mode: bootstrap.length > 0 ? 'internet' : 'local',
    providers: PROVIDER ? [PROVIDER] : [],
    bootstrap,
    channel: 'stable',
    arch: hostArch(),
    storeRoot: '/nowhere',
  },
  (candidate) => told.push(candidate),
  { ...DISCOVERY, deadlineMs: Number(deadline) },
  new Set(KNOWN ? [KNOWN] : []),
).then(
  (found) => ({ found, error: null }),
  (error) => ({ found: [], error: error.code }),
)
console.log(JSON.stringify({ ...outcome, told, milliseconds: performance.now() - startedAt }))
