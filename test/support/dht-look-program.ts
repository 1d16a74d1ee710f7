import { setTimeout as sleep } from 'node:timers/promises'
import type { Candidate, RejectedCandidate } from '../../agent/candidate.ts'
import { dhtProviders, dhtTiming } from '../../agent/source-dht.ts'
import { hostArch } from '../../service/arch.ts'
import { ownAddresses } from '../../service/own-addresses.ts'

/**
 * Looks in the DHT here until enough candidates that were asked themselves, and enough rejections, are there, and prints all that came as JSON:
 * {told, milliseconds}. Argument: a {@link DhtLook} as JSON.
 */
export interface DhtLook {
  readonly bootstrap: readonly string[]
  readonly candidates: number
  readonly rejected?: number
  readonly withinMs: number
}

/** With the time, in ms, at which it came. */
export type Told = (Candidate | RejectedCandidate) & { readonly at: number }

const { bootstrap, candidates, rejected = 0, withinMs } = JSON.parse(process.argv[2]!) as DhtLook
const startedAt = performance.now()
const told: Told[] = []
const stop = new AbortController()
const source = dhtProviders({ channel: 'stable', arch: hostArch(), bootstrap }, ownAddresses, {
  ...dhtTiming(),
  headStartMs: 0,
})
const looking = source.look((one) => told.push({ ...one, at: performance.now() - startedAt }), stop.signal)
const count = (fits: (one: Told) => boolean) => new Set(told.filter(fits).map(({ url }) => url)).size
const enough = () =>
  count((one) => !('reason' in one) && one.peerId !== undefined) >= candidates &&
  count((one) => 'reason' in one) >= rejected
while (!enough() && performance.now() - startedAt < withinMs) await sleep(20)
const milliseconds = performance.now() - startedAt
stop.abort()
await looking
console.log(JSON.stringify({ told, milliseconds }))
