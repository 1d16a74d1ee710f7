import { setTimeout as sleep } from 'node:timers/promises'
import type { Candidate, RejectedCandidate } from '../../agent/candidate.ts'
import { linkProviders } from '../../agent/source-mdns.ts'
import { hostArch } from '../../service/arch.ts'
import { type BrowseCounts, noCounts } from '../../service/mdns-browse.ts'
import { ownAddresses } from '../../service/own-addresses.ts'

/** Looks on the link for so long, and prints {@link Browsed} as JSON. Argument: ms. */
export interface Browsed {
  /** Each with the time, ms since the beginning. */
  readonly told: ReadonlyArray<(Candidate | RejectedCandidate) & { readonly at: number }>
  readonly counts: BrowseCounts
  /** Longest time, ms, for which nothing else could be done. */
  readonly stalled: number
  readonly rssMiB: number
}

const stop = new AbortController()
const counts = noCounts()
const told: Array<Browsed['told'][number]> = []
let stalled = 0
let ticked = performance.now()
const ticking = setInterval(() => {
  stalled = Math.max(stalled, performance.now() - ticked - 20)
  ticked = performance.now()
}, 20)
const begun = performance.now()
const look = linkProviders({ channel: 'stable', arch: hostArch(), mode: 'local' }, ownAddresses, counts)
const looking = look((found) => told.push({ ...found, at: Math.round(performance.now() - begun) }), stop.signal)
await sleep(Number(process.argv[2]))
clearInterval(ticking)
stop.abort()
await looking
const rssMiB = Math.round(process.memoryUsage.rss() / 2 ** 20)
console.log(JSON.stringify({ told, counts, stalled: Math.round(stalled), rssMiB } satisfies Browsed))
