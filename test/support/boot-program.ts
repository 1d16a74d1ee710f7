import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { boot } from '../../agent/boot.ts'
import { DISCOVERY } from '../../agent/discover.ts'
import type { AgentEvent } from '../../agent/events.ts'
import { readLastLook } from '../../agent/last-look.ts'
import { whyLines } from '../../agent/why.ts'
import { makeMachine } from './boot-machine.ts'

/**
 * The fetch stage on the links that are there, until it kexecs into something, which fails here, or ends. Prints {@link Booted} as
 * JSON. Arguments: policy.toml, the kernel command line, the root of a store that an earlier boot left.
 */
export interface Booted {
  readonly events: readonly AgentEvent[]
  /** SHA-256 of the kernel that was loaded, hexadecimal; null where it was none. */
  readonly kernel: string | null
  /** What `plasm-agent why` tells of the attempt then. */
  readonly why: readonly string[]
}

const [trustFile, cmdline, storeRoot] = process.argv.slice(2) as [string, string, string?]
const machine = await makeMachine(cmdline)
if (storeRoot !== undefined) {
  await writeFile(join(machine.directory, 'agent.toml'), `store_root = ${JSON.stringify(storeRoot)}\n`)
}
const stop = new AbortController()
const ended = boot({ ...machine.parts, trustFile, discovery: DISCOVERY, signal: stop.signal })
// What failed is written down, for `why`, before this is told.
const isOver = ({ type }: AgentEvent) => type === 'not-ready'
await Promise.race([
  machine.event((event) => isOver(event) && machine.events.some(({ type }) => type === 'kexec')),
  ended,
])
const kernel = await machine.loaded().then(
  (loaded) => createHash('sha256').update(loaded.kernel).digest('hex'),
  () => null,
)
const look = await readLastLook(machine.parts.runDirectory!)
stop.abort()
await ended
await machine.remove()
const booted: Booted = { events: machine.events, kernel, why: look ? whyLines({ chose: null, ...look }) : [] }
console.log(JSON.stringify(booted))
process.exit(0)
