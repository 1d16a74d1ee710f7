import { mkdir, rm, writeFile } from 'node:fs/promises'
import { stage } from '../../agent/stage.ts'
import { sha256Of } from '../../service/manifest.ts'
import { makeSet } from './boot-set.ts'
import { layOut, servedBy } from './store-fixture.ts'

/**
 * What the guest of the power-cut test does: says what the store on its disk holds, then stages one new set after another until
 * the power goes. Lines `power: holds|staging|staged <digest>` on the console.
 */
const STORE = '/data/store'
const say = (what: string) => console.log(`power: ${what}`)

say(`holds ${await servedBy(STORE)}`)
await mkdir(STORE, { recursive: true, mode: 0o755 })
await mkdir('/run/told', { recursive: true })
await writeFile('/run/told/cmdline', '\n')
await writeFile('/run/told/agent.toml', `store_root = "${STORE}"\n`)
await writeFile('/run/told/policy.toml', 'allow_unsigned = true\n')
const sources = {
  cmdlineFile: '/run/told/cmdline',
  tomlFile: '/run/told/agent.toml',
  netDir: '/run/told/net',
  machineIdFile: '/run/told/machine-id',
}
for (;;) {
  const set = makeSet({ kernelBytes: 600_000, agentBytes: 900_000 })
  const directory = '/run/set'
  await rm(directory, { recursive: true, force: true })
  await layOut(directory, set)
  const digest = sha256Of(set.manifest)
  say(`staging ${digest}`)
  await stage({ directory, sources, trustFile: '/run/told/policy.toml' })
  say(`staged ${digest}`)
}
