import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { bystanderPlace, PROVIDER_PORT } from '../../host-harness/addresses.ts'
import { type Bystander, chain } from '../../host-harness/chain.ts'
import type { ChainSpec } from '../../host-harness/chain-spec.ts'
import { PLASMD, signedByAStranger } from './stranger-set.ts'

/**
 * usage: rogue-chain-program.ts SPEC_JSON, as root of fresh namespaces. A chain with a rogue beside it, which advertises itself
 * as a booted machine and serves the published set, signed by a key of its own. Prints the chain's events, JSON lines; with `keep` in
 * the spec the machines stay up until standard input ends.
 */

/** What becomes preferred, were its advertisement believed. */
const CLAIMED_GENERATION = 7

export const ROGUE = bystanderPlace('rogue', 1)
export const ROGUE_URL = `http://${ROGUE.address}:${PROVIDER_PORT}`

if (import.meta.main) {
  const spec = JSON.parse(process.argv[2]!) as ChainSpec
  const emit = (event: unknown) => console.log(JSON.stringify(event))
  const stop = new AbortController()
  process.stdin.once('end', () => stop.abort()).resume()
  await chain(spec, emit, stop.signal, [rogue(spec)])
  process.exit(0)
}

/** Signed by a stranger, and with claims that would make it preferred. */
async function lyingSet(spec: ChainSpec): Promise<string> {
  const directory = await signedByAStranger(spec)
  const claims = { machine: `plasm-${randomUUID().slice(0, 6)}`, generation: CLAIMED_GENERATION }
  await writeFile(join(directory, '.provider.json'), `${JSON.stringify(claims)}\n`)
  return directory
}

function rogue(spec: ChainSpec): Bystander {
  return {
    participant: ROGUE,
    async start([program, ...inside]) {
      const set = await lyingSet(spec)
      const identity = join(spec.runDir, 'rogue.node-key')
      const serve = ['serve', '--artifacts', set, '--no-dht', '--identity', identity, '--channel', spec.channel]
      const where = ['--arch', spec.arch, '--bind', ROGUE.address, '--port', String(PROVIDER_PORT)]
      const log = { file: join(spec.runDir, 'rogue.log') }
      const plasmd = execa(program!, [...inside, process.execPath, PLASMD, ...serve, ...where], {
        ...{ stdin: 'ignore', stdout: 'ignore', stderr: log, reject: false },
      })
      return async () => {
        plasmd.kill('SIGTERM')
        await plasmd
      }
    },
  }
}
