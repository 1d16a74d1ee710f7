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
const HARNESS = fileURLToPath(new URL('../../host-harness/cli.ts', import.meta.url))
/** Above the harness's own deadlines, two of 180 s under emulation. */
const RUN_WITHIN_MS = 7 * 60_000

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** As a person asks. */
async function whyOf(runDir: string, machine: string): Promise<string> {
  const { stdout } = await execa(
    process.execPath,
    [HARNESS, 'exec', '--run', runDir, machine, '--', 'plasm-agent', 'why'],
    {
      stdin: 'ignore',
    },
  )
  return stdout
}

test('beside a rogue on the bridge the chain is proven, and each machine names it', { skip }, async (t) => {
  assert.ok('args' in here)
  const runDir = await createRunDir(randomUUID())
  t.after(async () => {
    for (const name of ['published', 'bad']) await rm(join(runDir, name), { recursive: true, force: true })
  })
  const machines = { generations: 2, arch: 'x86_64', memoryMiB: 512, rootfs: 'none', providers: 'all' } as const
  const network = { network: 'lan', discovery: 'mdns' } as const
  const spec = await prepare({ ...machines, ...network, keep: true, unsigned: false }, runDir, t.signal)
  const program = [process.execPath, PROGRAM, JSON.stringify(spec)]
  const running = execa('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...here.args, ...program], {
    ...{ stdin: 'pipe', reject: false, timeout: RUN_WITHIN_MS, killSignal: 'SIGKILL' },
  })
  const events: ChainEvent[] = []
  let why = ''
  for await (const line of running.iterable()) {
    const event = JSON.parse(line) as ChainEvent
    events.push(event)
    if (event.type !== 'result') continue
    if (event.result.ok) why = await whyOf(runDir, 'vm2')
    running.stdin.end()
  }
  const ran = await running
  const last = events.find(({ type }) => type === 'result')
  if (last?.type !== 'result' || !last.result.ok) {
    assert.fail(`${JSON.stringify(last)}\n${ran.stderr}\n${await consoleTails(runDir)}`)
  }
  assert.match(
    why,
    new RegExp(`^${ROGUE_URL.replaceAll('.', '\\.')} [^\n]*\n +rejected: [^\n]*\\[signature-refused\\]$`, 'm'),
  )
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
