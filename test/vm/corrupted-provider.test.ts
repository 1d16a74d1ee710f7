import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { cp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type ChainSpec, readPublishedSet } from '../../host-harness/chain-spec.ts'
import { prepare } from '../../host-harness/prepare.ts'
import { createRunDir } from '../../host-harness/run-dir.ts'
import { consoleTails } from '../support/console-tail.ts'
import type { Seen } from '../support/corrupted-provider-program.ts'
import { namespacesHere } from '../support/in-namespaces.ts'

const PROGRAM = fileURLToPath(new URL('../support/corrupted-provider-program.ts', import.meta.url))
/** Above the program's own deadlines, two of 180 s under emulation. */
const RUN_WITHIN_MS = 7 * 60_000
const ORIGIN_URL = 'http://192.168.77.2:8080'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** A copy of a published release with one bit of the initramfs changed. @returns where, and which chunk it hit */
async function damagedCopy(spec: ChainSpec): Promise<{ directory: string; chunk: number }> {
  const { size_bytes: size, chunks } = (await readPublishedSet(spec)).manifest.artifacts.initramfs
  const directory = join(spec.runDir, 'damaged')
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
async function bootPastDamage(spec: ChainSpec, damagedDir: string): Promise<Seen> {
  assert.ok('args' in here)
  const program = [process.execPath, PROGRAM, JSON.stringify(spec), damagedDir]
  const ran = await execa('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...here.args, ...program], {
    stdin: 'ignore',
    reject: false,
    timeout: RUN_WITHIN_MS,
    killSignal: 'SIGKILL',
  })
  if (ran.failed) assert.fail(`${ran.timedOut ? `not within ${RUN_WITHIN_MS / 1000} s` : 'it failed'}: ${ran.stderr}`)
  return JSON.parse(ran.stdout)
}

test('a damaged initramfs is reported and not booted; a good provider is', { skip }, async (t) => {
  const runDir = await createRunDir(randomUUID())
  t.after(async () => {
    for (const name of ['published', 'damaged']) await rm(join(runDir, name), { recursive: true, force: true })
  })
  const options = {
    generations: 1,
    arch: 'x86_64',
    memoryMiB: 512,
    providers: 'all',
    keep: false,
    unsigned: false,
  } as const
  const spec = await prepare(options, runDir, t.signal)
  const { directory, chunk } = await damagedCopy(spec)
  try {
    const { damaged, good } = await bootPastDamage(spec, directory)
    const { code, facts } = damaged.failure.error
    assert.deepEqual([damaged.failure.step, code], ['fetch', 'chunk-digest-mismatch'])
    assert.equal(damaged.failure.provider, ORIGIN_URL)
    assert.deepEqual([facts.provider, facts.artifact, facts.chunk], [ORIGIN_URL, 'initramfs', chunk])
    assert.notEqual(facts.found, facts.expected)
    assert.match(damaged.gaveUp, /chunk-digest-mismatch.*trying again/)
    assert.deepEqual(damaged.console, { banners: 1, commandLines: 1, saidKexec: false })

    assert.deepEqual(good.console, { banners: 2, commandLines: 2, saidKexec: true })
    assert.ok(good.kexecAfterMs > 0, `kexec ${good.kexecAfterMs} ms after the good provider started`)
    const { providerUrl, release, handover, resets, bootIdChanged, servedSetDifferences } = good
    assert.deepEqual([providerUrl, release, handover], [ORIGIN_URL, spec.nonce, 'carry'])
    assert.deepEqual(
      { resets, bootIdChanged, servedSetDifferences },
      { resets: 0, bootIdChanged: true, servedSetDifferences: [] },
    )
  } catch (thrown) {
    throw new Error(`${(thrown as Error).message}\n${await consoleTails(runDir)}`, { cause: thrown })
  }
})
