import { randomUUID } from 'node:crypto'
import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { bystanderPlace, PROVIDER_PORT } from '../../host-harness/addresses.ts'
import { type Bystander, chain } from '../../host-harness/chain.ts'
import type { ChainSpec } from '../../host-harness/chain-spec.ts'
import { makeKeyFiles } from '../../service/key-file.ts'

/**
 * usage: rogue-chain-program.ts SPEC_JSON, as root of fresh namespaces. A chain with a rogue beside it, which advertises itself
 * as a booted machine and serves the published set, signed by a key of its own. Prints the chain's events, JSON lines; with `keep` in
 * the spec the machines stay up until standard input ends.
 */
const PLASMD = fileURLToPath(new URL('../../service/plasmd.ts', import.meta.url))

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

/** The published set, every artifact the same, signed by a key that no image here trusts. */
async function lyingSet(spec: ChainSpec): Promise<string> {
  const directory = join(spec.runDir, 'bad')
  await cp(spec.publishedDir, directory, { recursive: true })
  const set = join(directory, spec.channel, spec.arch)
  await rm(join(set, 'manifest.dsse.json'))
  const { privateFile } = await makeKeyFiles(spec.runDir, 'stranger')
  await execa(process.execPath, [PLASMD, 'manifest', 'sign', set, '--key', privateFile])
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
