import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { ChainEvent } from '../../host-harness/chain-spec.ts'
import { prepare } from '../../host-harness/prepare.ts'
import { createRunDir } from '../../host-harness/run-dir.ts'
import { parseChainProof } from '../support/chain-contract.ts'
import { consoleTails } from '../support/console-tail.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { ROGUE_URL } from '../support/rogue-chain-program.ts'

const PROGRAM = fileURLToPath(new URL('../support/rogue-chain-program.ts', import.meta.url))
/** Above the harness's own deadlines, two of 180 s under emulation. */
const RUN_WITHIN_MS = 7 * 60_000

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

test('beside a rogue on the bridge the chain is proven, and each machine names it', { skip }, async (t) => {
  assert.ok('args' in here)
  const runDir = await createRunDir(randomUUID())
  t.after(async () => {
    for (const name of ['published', 'bad']) await rm(join(runDir, name), { recursive: true, force: true })
  })
  const machines = { generations: 2, arch: 'x86_64', memoryMiB: 512, rootfs: 'none', providers: 'all' } as const
  const network = { network: 'lan', discovery: 'mdns' } as const
  const spec = await prepare({ ...machines, ...network, keep: false, unsigned: false }, runDir, t.signal)
  const program = [process.execPath, PROGRAM, JSON.stringify(spec)]
  const ran = await execa('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...here.args, ...program], {
    ...{ stdin: 'ignore', reject: false, timeout: RUN_WITHIN_MS, killSignal: 'SIGKILL' },
  })
  const events = ran.stdout.split('\n').flatMap((line) => (line ? [JSON.parse(line) as ChainEvent] : []))
  const last = events.at(-1)
  if (last?.type !== 'result' || !last.result.ok) {
    assert.fail(`${JSON.stringify(last)}\n${ran.stderr}\n${await consoleTails(runDir)}`)
  }
  const { generations } = parseChainProof(JSON.stringify(last.result))
  assert.deepEqual(
    generations.map(({ machine, provider }) => `${machine} from ${provider.machine}`),
    ['vm1 from origin', 'vm2 from vm1'],
  )
  for (const { machine, evidence } of generations) {
    assert.equal(evidence.bytesFromOthers, 0, `${machine} took nothing of the rogue's set`)
    const named = events.some(
      (event) =>
        event.type === 'say' &&
        event.text.startsWith(`${machine}: rejected ${ROGUE_URL}: `) &&
        event.text.includes('[signature-refused]'),
    )
    assert.ok(named, `${machine} did not say why it left ${ROGUE_URL}`)
  }
})
