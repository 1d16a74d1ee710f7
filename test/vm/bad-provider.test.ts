import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { cp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type ChainSpec, readPublishedSet } from '../../host-harness/chain-spec.ts'
import { prepare } from '../../host-harness/prepare.ts'
import { createRunDir } from '../../host-harness/run-dir.ts'
import { BESIDE, type Seen, type Task } from '../support/bad-provider-program.ts'
import { consoleTails } from '../support/console-tail.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { signedByAStranger } from '../support/stranger-set.ts'

const PROGRAM = fileURLToPath(new URL('../support/bad-provider-program.ts', import.meta.url))
/** Above the program's own deadlines, two of 180 s under emulation. */
const RUN_WITHIN_MS = 7 * 60_000
const ORIGIN_URL = 'http://192.168.77.2:8080'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** A copy of a published release with one bit of the initramfs changed. @returns where, and which chunk it hit */
async function damagedCopy(spec: ChainSpec): Promise<{ directory: string; chunk: number }> {
  const { size_bytes: size, chunks } = (await readPublishedSet(spec)).manifest.artifacts.initramfs
  const directory = join(spec.runDir, 'bad')
  await cp(spec.publishedDir, directory, { recursive: true })
  const position = Math.floor(size / 2)
  const file = await open(join(directory, spec.channel, spec.arch, 'initramfs'), 'r+')
  try {
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, position)
    await file.write(Buffer.of(byte[0]! ^ 1), 0, 1, position)
  } finally {
    await file.close()
  }
  return { directory, chunk: Math.floor(position / chunks!.size) }
}

/** Runs the program in namespaces that the kernel ends with it, with `unshare`, or with this process. */
async function bootPast(task: Task): Promise<Seen> {
  assert.ok('args' in here)
  const program = [process.execPath, PROGRAM, JSON.stringify(task)]
  const ran = await execa('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...here.args, ...program], {
    stdin: 'ignore',
    reject: false,
    timeout: RUN_WITHIN_MS,
    killSignal: 'SIGKILL',
  })
  if (ran.failed) assert.fail(`${ran.timedOut ? `not within ${RUN_WITHIN_MS / 1000} s` : 'it failed'}: ${ran.stderr}`)
  return JSON.parse(ran.stdout)
}

/** A release for a machine to boot, and what becomes of the run's large files. */
async function publish(t: TestContext): Promise<ChainSpec> {
  const runDir = await createRunDir(randomUUID())
  t.after(async () => {
    for (const name of ['published', 'bad']) await rm(join(runDir, name), { recursive: true, force: true })
  })
  const machine = { generations: 1, arch: 'x86_64', memoryMiB: 512, rootfs: 'none' } as const
  const network = { network: 'lan', discovery: 'mdns' } as const
  return prepare({ ...machine, ...network, providers: 'all', keep: false, unsigned: false }, runDir, t.signal)
}

async function showingConsoles(runDir: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    throw new Error(`${(thrown as Error).message}\n${await consoleTails(runDir)}`, { cause: thrown })
  }
}

/** The machine booted, by kexec and nothing else, from a provider of what the run published. */
function assertBooted(good: Seen['good'], spec: ChainSpec, providerUrl: string): void {
  assert.deepEqual(good.console, { banners: 2, commandLines: 2, saidKexec: true })
  assert.ok(good.kexecAfterMs > 0, `kexec ${good.kexecAfterMs} ms after the good provider started`)
  const { release, handover, resets, bootIdChanged, servedSetDifferences } = good
  assert.deepEqual([good.providerUrl, release, handover], [providerUrl, spec.nonce, 'carry'])
  assert.deepEqual(
    { resets, bootIdChanged, servedSetDifferences },
    { resets: 0, bootIdChanged: true, servedSetDifferences: [] },
  )
}

test('a damaged initramfs is reported and not booted; a good provider is', { skip }, async (t) => {
  const spec = await publish(t)
  const { directory, chunk } = await damagedCopy(spec)
  await showingConsoles(spec.runDir, async () => {
    const { bad, good } = await bootPast({ spec, badDir: directory, refusedBy: 'fetch', goodOne: 'instead' })
    const { code, facts } = bad.failure.error
    assert.deepEqual([bad.failure.step, code], ['fetch', 'chunk-digest-mismatch'])
    assert.equal(bad.failure.provider, ORIGIN_URL)
    assert.deepEqual([facts.provider, facts.artifact, facts.chunk], [ORIGIN_URL, 'initramfs', chunk])
    assert.notEqual(facts.found, facts.expected)
    assert.match(bad.gaveUp, /chunk-digest-mismatch.*trying again/)
    assert.deepEqual(bad.console, { banners: 1, commandLines: 1, saidKexec: false })
    assertBooted(good, spec, ORIGIN_URL)
  })
})

test('a liar alone is not booted from, and is named; beside it an honest provider is', { skip }, async (t) => {
  const spec = await publish(t)
  const badDir = await signedByAStranger(spec)
  await showingConsoles(spec.runDir, async () => {
    const { bad, good } = await bootPast({ spec, badDir, refusedBy: 'verify', goodOne: 'beside' })
    const { code, facts } = bad.failure.error
    assert.deepEqual([code, facts.counted, facts.threshold], ['signature-refused', 0, 1])
    assert.match(String(facts.from), new RegExp(`^${ORIGIN_URL}/`))
    assert.match(bad.gaveUp, new RegExp(`${ORIGIN_URL}.*\\[signature-refused\\]$`))
    assert.deepEqual(bad.console, { banners: 1, commandLines: 1, saidKexec: false })
    assert.ok(
      bad.lines.some((line) => line.includes(ORIGIN_URL) && line.includes('[signature-refused]')),
      'the console says who and why',
    )
    const url = `http://${BESIDE.address}:8080`
    assertBooted(good, spec, url)
    const liar = good.candidates.find((candidate) => candidate.url === ORIGIN_URL)
    assert.match(liar?.verdict ?? 'not even considered', /^rejected: .*\[signature-refused\]$/)
  })
})
