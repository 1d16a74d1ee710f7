import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { ChainEvent, ChainSpec } from '../../host-harness/chain-spec.ts'
import { makeSet } from './boot-set.ts'
import { tinyKernel } from './tiny-kernel.ts'

const support = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export type Told = ChainEvent | { type: 'pid'; pid: number }

/** The harness with a kernel that needs no images, in a directory whose name is on the command line of all that it starts. */
export async function startHarness(
  t: TestContext,
  code: readonly number[],
  { keep = false, program = 'harness-inside-program.ts' } = {},
) {
  const runDir = await mkdtemp(join(tmpdir(), 'harness-lifetime-'))
  const set = makeSet({ arch: 'x86_64' })
  const published = join(runDir, 'stable/x86_64')
  await mkdir(published, { recursive: true })
  const files = { 'manifest.json': set.manifest, ...set.files }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(published, name), bytes)
  await writeFile(join(runDir, 'kernel'), tinyKernel(code))
  await writeFile(join(runDir, 'initramfs'), '')
  const spec: ChainSpec = {
    ...{ generations: 1, arch: 'x86_64', memoryMiB: 128, providers: 'all', keep, rootfs: 'none', unsigned: true },
    ...{ network: 'lan', discovery: 'mdns' },
    ...{ channel: 'stable', runDir, mediaDir: runDir, publishedDir: runDir, nonce: 'run-test' },
  }
  const outer = execa(process.execPath, [support(program), JSON.stringify(spec)], { reject: false, stdin: 'ignore' })
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
export async function processesOf(runDir: string): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const pid of await readdir('/proc')) {
    const words = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : ''
    if (words.includes(runDir)) found.set(words.split('\0')[0]!.split('/').at(-1)!, Number(pid))
  }
  return found
}

export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  seconds = 15,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found) return found
    assert.ok(performance.now() < deadline, `not within ${seconds} s: ${what}`)
    await sleep(20)
  }
}

/** Waits until the machine's guest runs. @returns QEMU's process id */
export async function running({ runDir, events }: { runDir: string; events: readonly Told[] }): Promise<number> {
  await eventually('a machine runs', async () =>
    events.some((event) => event.type === 'machine' && event.progress.doing === 'firmware'),
  )
  return (await processesOf(runDir)).get('qemu-system-x86_64') ?? assert.fail('no QEMU')
}
