import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { ChainEvent, ChainSpec } from '../../host-harness/chain-spec.ts'
import { makeSet } from '../support/boot-set.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { TINY_KERNEL, tinyKernel } from '../support/tiny-kernel.ts'

const PROGRAM = fileURLToPath(new URL('../support/harness-inside-program.ts', import.meta.url))
const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

type Told = ChainEvent | { type: 'pid'; pid: number }

/** The harness with a kernel that needs no images, in a directory whose name is on the command line of all that it starts. */
async function startHarness(t: TestContext, code: readonly number[], keep = false) {
  const runDir = await mkdtemp(join(tmpdir(), 'harness-lifetime-'))
  const set = makeSet({ arch: 'x86_64' })
  const published = join(runDir, 'stable/x86_64')
  await mkdir(published, { recursive: true })
  const files = { 'manifest.json': set.manifest, ...set.files }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(published, name), bytes)
  await writeFile(join(runDir, 'kernel'), tinyKernel(code))
  await writeFile(join(runDir, 'initramfs'), '')
  const spec: ChainSpec = {
    ...{ generations: 1, arch: 'x86_64', memoryMiB: 128, providers: 'all', keep, unsigned: true },
    ...{ channel: 'stable', runDir, mediaDir: runDir, publishedDir: runDir, nonce: 'run-test' },
  }
  const outer = execa(process.execPath, [PROGRAM, JSON.stringify(spec)], { reject: false, stdin: 'ignore' })
  t.after(async () => {
    outer.kill('SIGKILL')
    await outer
    await rm(runDir, { recursive: true, force: true })
  })
  const events: Told[] = []
  const reading = (async () => {
    for await (const line of outer) events.push(JSON.parse(line))
  })().catch(() => {})
  const result = async () => {
    await reading
    const found = events.find((event) => event.type === 'result')
    return found?.type === 'result' ? found.result : assert.fail('no result')
  }
  return { runDir, outer, events, result }
}

/** Processes that name the run's directory, by program. */
async function processesOf(runDir: string): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const pid of await readdir('/proc')) {
    const words = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : ''
    if (words.includes(runDir)) found.set(words.split('\0')[0]!.split('/').at(-1)!, Number(pid))
  }
  return found
}

async function eventually<T>(what: string, look: () => Promise<T | undefined | false>, seconds = 15): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found) return found
    assert.ok(performance.now() < deadline, `not within ${seconds} s: ${what}`)
    await sleep(20)
  }
}

/** Waits until the machine's guest runs. @returns QEMU's process id */
async function running({ runDir, events }: { runDir: string; events: readonly Told[] }): Promise<number> {
  await eventually('a machine runs', async () =>
    events.some((event) => event.type === 'machine' && event.progress.doing === 'firmware'),
  )
  return (await processesOf(runDir)).get('qemu-system-x86_64') ?? assert.fail('no QEMU')
}

/** How many processes live in a network namespace. */
async function populationOf(namespace: string): Promise<number> {
  const links = (await readdir('/proc'))
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => ''))
  return (await Promise.all(links)).filter((link) => link === namespace).length
}

test('killed without warning, it leaves no process and no namespace', { skip }, async (t) => {
  const harness = await startHarness(t, TINY_KERNEL.hangs)
  const { runDir, outer, events } = harness
  const qemu = await running(harness)
  const before = [...(await processesOf(runDir)).keys()]
  for (const program of ['unshare', 'dnsmasq', 'qemu-system-x86_64']) assert.ok(before.includes(program), `${before}`)
  const namespace = await readlink(`/proc/${qemu}/ns/net`)
  assert.notEqual(namespace, await readlink('/proc/self/ns/net'))
  const told = async () => events.some((event) => event.type === 'pid' && event.pid > 1)
  await eventually('its pid is told', told, 15)
  outer.kill('SIGKILL')
  await eventually('every process is gone', async () => (await processesOf(runDir)).size === 0, 5)
  assert.equal(await populationOf(namespace), 0)
})

test('asked to stop, it says that it was interrupted and leaves nothing', { skip }, async (t) => {
  const harness = await startHarness(t, TINY_KERNEL.hangs)
  const { runDir, outer, result } = harness
  await running(harness)
  outer.kill('SIGTERM')
  const { ok, error, generations } = await result()
  assert.deepEqual([ok, error?.code, error?.machine, generations], [false, 'interrupted', 'vm1', []])
  assert.equal((await processesOf(runDir)).size, 0)
})

test('a machine that resets fails the run at once, by name', { skip }, async (t) => {
  const { result } = await startHarness(t, TINY_KERNEL.resets)
  const { ok, error } = await result()
  assert.deepEqual([ok, error?.code, error?.step, error?.machine], [false, 'machine-reset', 'firmware', 'vm1'])
})

test('nobody waits for a machine whose QEMU is gone', { skip }, async (t) => {
  const harness = await startHarness(t, TINY_KERNEL.hangs)
  process.kill(await running(harness), 'SIGKILL')
  const { ok, error } = await harness.result()
  assert.deepEqual([ok, error?.code, error?.machine], [false, 'machine-died', 'vm1'])
  assert.match(error?.message ?? '', /SIGKILL/)
})

test('asked to keep the machines, it leaves them up after the result until it is stopped', { skip }, async (t) => {
  const { runDir, outer, events } = await startHarness(t, TINY_KERNEL.resets, true)
  await eventually('the result', async () => events.some((event) => event.type === 'result'))
  await sleep(200)
  assert.ok((await processesOf(runDir)).has('qemu-system-x86_64'))
  outer.kill('SIGTERM')
  await outer
  assert.equal((await processesOf(runDir)).size, 0)
})
