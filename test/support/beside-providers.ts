import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { DhtLiar } from './dht-liars.ts'
import type { DhtLook, Told } from './dht-look-program.ts'
import type { DhtProvider } from './dht-providers-program.ts'

const support = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const quoted = (text: string) => `'${text}'`
export const node = (program: string, ...args: string[]) => [process.execPath, support(program), ...args].join(' ')

/** The first of all, and bootstrap node of the others. */
export const ORIGIN: DhtProvider = {
  machine: 'plasm-origin',
  generation: 0,
  sequence: 7,
  port: 8080,
  dhtPort: 4001,
  bootstrap: [],
}

/** Runs a program on one machine (10.77.0.2), with providers, and others, on another one (10.77.0.1); all say nothing by mDNS. @returns what it prints last */
export async function besideProviders(
  providers: readonly DhtProvider[],
  command: string,
  liars: readonly DhtLiar[] = [],
): Promise<unknown> {
  const sets = await mkdtemp(join(tmpdir(), 'plasm-dht-'))
  const told = [sets, JSON.stringify(providers), JSON.stringify(liars)].map(quoted)
  try {
    const peer = node('dht-providers-program.ts', ...told)
    const { stdout } = await promisify(execFile)(support('two-networks.sh'), [peer, command], { timeout: 60_000 })
    return JSON.parse(stdout.trim().split('\n').at(-1)!)
  } finally {
    // Where time ran out, the process namespace is still ending.
    await rm(sets, { recursive: true, force: true, maxRetries: 5 })
  }
}

export interface Looked {
  readonly told: readonly Told[]
  readonly milliseconds: number
}

/** Looks for them in the DHT. */
export async function lookInDht(
  providers: readonly DhtProvider[],
  what: Omit<DhtLook, 'withinMs'>,
  liars: readonly DhtLiar[] = [],
): Promise<Looked> {
  const look = node('dht-look-program.ts', quoted(JSON.stringify({ withinMs: 25_000, ...what })))
  return (await besideProviders(providers, look, liars)) as Looked
}
