import { setTimeout as sleep } from 'node:timers/promises'
import type { Candidate } from '../../agent/candidate.ts'
import { linkProviders } from '../../agent/source-mdns.ts'
import { hostArch } from '../../service/arch.ts'
import { ownAddresses } from '../../service/own-addresses.ts'

/** Looks on the link until so many providers were found, for 10 s at most, and prints {found} as JSON. Argument: how many. */
const wanted = Number(process.argv[2])
const found = new Map<string, Candidate>()
const stop = new AbortController()
const looking = linkProviders({ channel: 'stable', arch: hostArch(), mode: 'local' }, ownAddresses)((candidate) => {
  if (!('reason' in candidate)) found.set(candidate.url, candidate)
  if (found.size >= wanted) stop.abort()
}, stop.signal)
await Promise.race([looking, sleep(10_000, undefined, { ref: false })])
stop.abort()
await looking
console.log(JSON.stringify({ found: [...found.values()] }))
