import assert from 'node:assert/strict'
import { cp, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { stage } from '../../agent/stage.ts'
import { hostArch } from '../../service/arch.ts'
import { storePaths } from '../../service/store-layout.ts'
import { bundle } from '../support/bundle.ts'
import { hex, makeStoreFixture, type StoreFixture, servedBy, setsIn } from '../support/store-fixture.ts'
import { stageTraced } from '../support/strace-attached.ts'
import { straceHere } from '../support/strace-here.ts'

/** Of the kills of a full sweep (npm run faults) so many in npm test, spread evenly. */
const SAMPLE = 10
const FULL = process.env.PLASM_FULL_SWEEP === '1'

let script: string
before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-sweep-'))
  script = join(dir, 'stage.mjs')
  await bundle('stage-program.ts', script)
})
after(() => rm(dirname(script), { recursive: true, force: true }))

interface Scenario {
  readonly what: string
  /** Makes the store as it is before. @returns what it serves then, and what it may serve after a kill beside the new set */
  readonly begin: (at: StoreFixture, next: { dir: string; digest: string }) => Promise<RegExp | string>
}

const SCENARIOS: readonly Scenario[] = [
  {
    what: 'over an older set',
    async begin(at) {
      const old = await at.put('old')
      await stage(at.request(old.dir))
      return old.digest
    },
  },
  { what: 'into an empty store', begin: async () => 'nothing' },
  {
    what: 'over itself, to mend a rotten file',
    async begin(at, next) {
      await stage(at.request(next.dir))
      const kernel = await open(join(storePaths(at.store).set(next.digest), 'vmlinuz'), 'r+')
      await kernel.write('rot', 100)
      await kernel.close()
      // The one file that was wrong before, and no other.
      return /has a wrong vmlinuz/
    },
  },
]

for (const scenario of FULL ? SCENARIOS : SCENARIOS.slice(0, 1)) {
  test(
    `SIGKILL at system calls of a staging run ${scenario.what}: the old set or the new one, whole`,
    straceHere(),
    (t) => sweep(t, scenario),
  )
}

async function sweep(t: TestContext, { begin }: Scenario): Promise<void> {
  const at = await makeStoreFixture(t)
  const next = await at.put('next', { sequence: 2 })
  const old = await begin(at, next)
  const template = join(at.directory, 'template')
  await cp(at.store, template, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  const request = at.request(next.dir)
  const reset = async () => {
    await rm(at.store, { recursive: true })
    await cp(template, at.store, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  }

  const trace = join(at.directory, 'trace')
  assert.equal(await stageTraced(script, { request }, ['-o', trace]), 0)
  assert.equal(await servedBy(at.store), next.digest)
  const calls = fileWork(await readFile(trace, 'utf8'))
  const kinds = [...new Set(calls.map(({ call }) => call))]
  t.diagnostic(`${calls.length} calls of ${kinds.length} kinds: ${kinds.join(' ')}`)
  for (const needed of ['openat', 'pwrite64', 'fsync', 'rename', 'symlink', 'mkdir']) assert.ok(kinds.includes(needed))

  const every = FULL ? 1 : calls.length / SAMPLE
  let [tried, killed] = [0, 0]
  for (let position = Math.random() * every; position < calls.length; position += every) {
    const { call, nth } = calls[Math.floor(position)]!
    await reset()
    const inject = `inject=${call}:signal=KILL:when=${nth}`
    const how = await stageTraced(script, { request }, ['-o', '/dev/null', '-e', `trace=${call}`, '-e', inject])
    tried += 1
    if (how === 'SIGKILL') killed += 1
    const served = await servedBy(at.store)
    const isOld = typeof old === 'string' ? served === old : old.test(served)
    assert.ok(isOld || served === next.digest, `killed at ${call} ${nth}: ${served}`)
    assert.ok(how === 'SIGKILL' || served === next.digest, `${call} ${nth} ended with ${how}: ${served}`)
    await recovers(at, request, next.digest)
  }
  t.diagnostic(`${killed} of ${tried} runs were killed`)
  // The few that were not made a call less than the one that was traced.
  assert.ok(killed >= tried * 0.9, `${killed} of ${tried} runs were killed`)
}

/** The next agent goes on from whatever was left, and cleans it up. */
async function recovers(at: StoreFixture, request: Parameters<typeof stage>[0], digest: string): Promise<void> {
  await stage(request)
  assert.equal(await servedBy(at.store), digest)
  assert.ok((await setsIn(at.store)).includes(hex(digest)))
  const hidden = (await setsIn(at.store)).filter((name) => name.startsWith('.'))
  const links = (await readdir(dirname(storePaths(at.store).link('stable', hostArch())))).filter((name) =>
    name.startsWith('.link-'),
  )
  assert.deepEqual([hidden, links], [[], []])
}

const NO_FILE_WORK = new Set([
  'futex',
  'rseq',
  'set_robust_list',
  'prctl',
  'madvise',
  'mmap',
  'munmap',
  'mprotect',
  'exit',
])

interface Call {
  readonly call: string
  /** Which one of its kind, from 1: strace counts each kind by itself. */
  readonly nth: number
}

/**
 * Of a trace by `strace -f -o`: what the thread does that works on files, in order. Left out are kinds of calls that other
 * threads often make as well (close, read, write), since those would be killed at a moment of their own: none of them changes
 * which names there are, and what they change of a file's bytes lies between two calls that are not left out.
 */
function fileWork(trace: string): readonly Call[] {
  const byThread = new Map<string, string[]>()
  for (const [, thread, call] of trace.matchAll(/^(\d+) +([a-z0-9_]+)\(/gm)) {
    byThread.set(thread!, [...(byThread.get(thread!) ?? []), call!])
  }
  const files = [...byThread].find(([, calls]) => calls.includes('fsync'))
  assert.ok(files, 'a thread that syncs files')
  const others = [...byThread].filter(([thread]) => thread !== files[0]).map(([, calls]) => calls)
  const isShared = (call: string) => others.some((calls) => calls.filter((other) => other === call).length > 2)
  const counts = new Map<string, number>()
  return files[1]
    .filter((call) => !isShared(call) && !NO_FILE_WORK.has(call))
    .map((call) => {
      const nth = (counts.get(call) ?? 0) + 1
      counts.set(call, nth)
      return { call, nth }
    })
}
