import type { Candidate, RejectedCandidate } from '../../agent/candidate.ts'
import { DISCOVERY, discover } from '../../agent/discover.ts'
import { hostArch } from '../../service/arch.ts'

/**
 * Runs discovery here and prints what it found as JSON: {found, told, error, milliseconds}. Arguments: deadline in ms; then, to look
 * in the DHT, too, whom to join by. PROVIDER names a provider; KNOWN one that was no good; DHT_MS: how
 * much longer where the DHT is asked.
 */
const [deadline, ...bootstrap] = process.argv.slice(2)
const { PROVIDER, KNOWN, DHT_MS } = process.env
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
  { ...DISCOVERY, deadlineMs: Number(deadline), ...(DHT_MS ? { dhtMs: Number(DHT_MS) } : {}) },
  new Set(KNOWN ? [KNOWN] : []),
).then(
  (found) => ({ found, error: null }),
  (error) => ({ found: [], error: error.code, message: error.message }),
)
console.log(JSON.stringify({ ...outcome, told, milliseconds: performance.now() - startedAt }))
