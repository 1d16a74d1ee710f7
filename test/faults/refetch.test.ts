import assert from 'node:assert/strict'
import { readFile, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hostArch } from '../../service/arch.ts'
import { sha256Of } from '../../service/manifest.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { askForKernel, kernelOf, machineThatKnows, provider, thatKnows } from '../support/machine-and-providers.ts'
import { answer, type Misbehave } from '../support/provider.ts'
import { makeServeMachine, type ServeMachine, until } from '../support/serve-machine.ts'
import { servedBy, setsIn } from '../support/store-fixture.ts'
import { straceHere } from '../support/strace-here.ts'

/** A machine that knows some providers, and is handed over a set with a kernel that has rotted. */
async function rottenMachine(t: TestContext, set: TestSet, providers: readonly string[]): Promise<ServeMachine> {
  const at = await machineThatKnows(t, providers)
  const vmlinuz = Buffer.from(set.files.vmlinuz!)
  vmlinuz[77_000]! ^= 4
  await at.handOver({ ...set, files: { ...set.files, vmlinuz } })
  return at
}

test('a rotten artifact is never served: it alone is fetched from another provider', async (t) => {
  const set = makeSet()
  const good = await provider(t, set)
  const at = await rottenMachine(t, set, [good.url])
  at.start()
  const failed = await at.event('step-failed')
  assert.deepEqual(
    [failed.step, failed.error.code, failed.error.facts.where],
    ['self-check', 'self-check-mismatch', 'disk'],
  )
  await at.event('step-done', ({ step }) => step === 'refetch')
  const ready = await at.event('ready')
  assert.equal(ready.record.generation, 2, 'its lineage is the boot’s, not the mending’s')
  assert.deepEqual(await kernelOf(at), set.files.vmlinuz)
  assert.deepEqual(
    good.seen.map(({ path }) => path),
    [`/stable/${hostArch()}/vmlinuz`],
  )
  assert.equal((await setsIn(at.store)).length, 1, 'no half set is left')
})

test('a file that is cut short while it is served is withdrawn and fetched again', async (t) => {
  const set = makeSet()
  const good = await provider(t, set)
  const at = await machineThatKnows(t, [good.url])
  await at.handOver(set)
  at.start({ recheckEvery: 300 })
  await at.event('ready')
  await truncate(join(storePaths(at.store).link('stable', hostArch()), 'initramfs.img'), 5000)
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.facts.artifact], ['watch', 'initramfs'])
  await until('a second ready', async () => (await at.events()).filter(({ type }) => type === 'ready').length === 2)
  assert.equal((await at.advertisements()).length, 3, 'advertised, withdrawn, advertised')
  assert.match(await servedBy(at.store), /^sha256:/)
})

test('all of a set is read again when that is due, not only when a file looks changed', async (t) => {
  const at = await makeServeMachine()
  t.after(() => at.remove())
  await at.handOver(makeSet())
  at.start({ recheckEvery: 200, rereadEvery: 400 })
  await at.event('ready')
  const bytes = async () => {
    const answer = (await (await fetch(`${at.url}/status`)).json()) as { metrics: { bytes_served_total: number } }
    return answer.metrics.bytes_served_total
  }
  const before = await bytes()
  await until('everything to be read again', async () => (await bytes()) > before + 400_000)
})

test('a liar is named and left for an honest provider; what it gave right is kept', async (t) => {
  const set = makeSet()
  const lies: Misbehave = ({ file, bytes, from, response, seen }) => {
    if (file !== 'vmlinuz') return false
    answer(response, Buffer.from(bytes).fill(0, 140_000), from, seen)
    return true
  }
  const liar = await provider(t, set, { misbehave: lies, status: { generation: 3 } })
  const honest = await provider(t, set, { status: { generation: 0 } })
  const at = await rottenMachine(t, set, [liar.url, honest.url])
  at.start()
  const rejected = await at.event('candidate', ({ url, verdict }) => verdict === 'rejected' && url === liar.url)
  assert.match(rejected.reason!, /\[chunk-digest-mismatch\]$/)
  await at.event('ready')
  assert.deepEqual(
    honest.seen.map(({ from }) => from),
    [131_072],
    'the two chunks that were right are not fetched twice',
  )
})

test('while only an older set is offered nothing is served, and a newer one is taken once it is there', async (t) => {
  const set = makeSet({ sequence: 5 })
  const stale = await provider(t, makeSet({ sequence: 4 }))
  const newer = makeSet({ sequence: 6 })
  const later = await provider(t, newer)
  const { port } = new URL(later.url)
  await later.close()
  const at = await rottenMachine(t, set, [stale.url, later.url])
  at.start()
  // The silent one is told too, and which of the two comes first is a race.
  const rejected = await at.event('candidate', ({ url, verdict }) => verdict === 'rejected' && url === stale.url)
  assert.equal(rejected.reason, 'stale: sequence 4, this machine had 5')
  const refused = await at.event('step-failed', ({ step }) => step === 'refetch')
  assert.equal(refused.error.code, 'no-provider')
  assert.equal((await askForKernel(at)).status, 404)
  assert.equal((await at.status()).ready, false)
  await provider(t, newer, { port: Number(port) })
  const ready = await at.event('ready')
  assert.equal(ready.record.set.sequence, 6)
})

test('who answers first and is no good does not end the search', async (t) => {
  const set = makeSet({ sequence: 5 })
  const stale = await provider(t, makeSet({ sequence: 4 }))
  const later = await provider(t, set)
  const { port } = new URL(later.url)
  await later.close()
  const at = await rottenMachine(t, set, [stale.url, later.url])
  at.start()
  await at.event('candidate', ({ url, verdict }) => verdict === 'rejected' && url === stale.url)
  await provider(t, set, { port: Number(port) })
  await at.event('ready')
  const failed = (await at.events()).filter((event) => event.type === 'step-failed' && event.step === 'refetch')
  assert.deepEqual(failed, [], 'the step looks once more itself')
})

test('an agent that is started after its set was withdrawn fetches it again', async (t) => {
  const set = makeSet()
  const good = await provider(t, set)
  const at = await machineThatKnows(t, [good.url])
  await at.handOver(set)
  const first = at.start()
  await at.event('ready')
  await first.stop()
  await rm(storePaths(at.store).link('stable', hostArch()))
  at.start()
  await until('a second ready', async () => (await at.events()).filter(({ type }) => type === 'ready').length === 2)
  assert.deepEqual(good.seen, [], 'all that lay there was right')
  const log = await readFile(join(at.runDirectory, 'agent.log'), 'utf8')
  assert.match(log, /nothing-to-serve/)
  assert.equal((await stat(join(storePaths(at.store).link('stable', hostArch()), 'vmlinuz'))).nlink, 1)
})

test('a stored file that the disk gives back no more (EIO) is fetched again', straceHere(), async (t) => {
  const set = makeSet()
  const good = await provider(t, set)
  const at = await makeServeMachine({ cmdline: thatKnows([good.url]) })
  let strace: number | undefined
  t.after(async () => {
    // strace does not hand signals on: the agent is ended itself, and strace with it.
    const agents = await readFile(`/proc/${strace}/task/${strace}/children`, 'utf8').catch(() => '')
    for (const pid of agents.split(' ').filter(Boolean)) process.kill(Number(pid), 'SIGTERM')
    await at.remove()
  })
  await at.handOver(set)
  // Agent and plasmd cannot read this one path; what is fetched lies under another one first.
  const path = join(storePaths(at.store).set(sha256Of(set.manifest)), 'vmlinuz')
  const tracing = ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path, '-e', 'trace=read,pread64']
  strace = at.start({ through: [...tracing, '-e', 'inject=read,pread64:error=EIO'] }).process.pid
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code], ['self-check', 'self-check-mismatch'])
  assert.equal(failed.error.facts.where, 'disk')
  assert.match(String(failed.error.facts.found), /^unreadable: EIO/)
  await at.event('step-done', ({ step }) => step === 'refetch')
  assert.deepEqual(
    good.seen.map(({ path }) => path),
    [`/stable/${hostArch()}/vmlinuz`],
  )
})
