import assert from 'node:assert/strict'
import { lstat, mkdir, readdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hostArch } from '../../service/arch.ts'
import { sha256Of } from '../../service/manifest.ts'
import { ownAddresses } from '../../service/own-addresses.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { lives, makeServeMachine, putIntoInbox, type ServeMachine, until } from '../support/serve-machine.ts'

async function machine(t: TestContext, given?: Parameters<typeof makeServeMachine>[0]): Promise<ServeMachine> {
  const made = await makeServeMachine(given)
  t.after(() => made.remove())
  return made
}

const hexOf = (set: TestSet) => sha256Of(set.manifest).slice('sha256:'.length)
const served = (at: ServeMachine, file: string) => fetch(`${at.url}/stable/${hostArch()}/${file}`)

test('what kexec handed over is adopted by renaming, proven, advertised and served', async (t) => {
  const at = await machine(t)
  const set = makeSet({ sequence: 7 })
  await at.handOver(set)
  const { ino } = await stat(join(storePaths(at.store).handover, 'initramfs'))
  const agent = at.start()
  const ready = await at.event('ready')

  const digest = sha256Of(set.manifest)
  assert.equal(ready.record.generation, 2)
  assert.equal(ready.record.set.manifestDigest, digest)
  assert.equal(ready.release, 'test-release')
  assert.equal(ready.address, '127.0.0.1')
  assert.equal(ready.memory.lowestAvailableMiB, 1, 'the lowest of both stages')
  const link = storePaths(at.store).link('stable', hostArch())
  assert.equal(await readlink(link), `../.sets/${digest.slice('sha256:'.length)}`)
  assert.equal((await stat(join(link, 'initramfs.img'))).ino, ino, 'init has it mounted: never a copy')
  assert.equal((await stat(join(link, 'vmlinuz'))).mode & 0o777, 0o644)
  assert.equal((await stat(join(at.store, '.boot-record.json'))).mode & 0o777, 0o600)
  assert.deepEqual(JSON.parse(await readFile(join(at.store, '.provider.json'), 'utf8')), {
    machine: 'plasm',
    generation: 2,
  })
  assert.deepEqual(Buffer.from(await (await served(at, 'manifest.json')).arrayBuffer()), set.manifest)
  assert.equal((await fetch(`${at.url}/.boot-record.json`)).status, 404)

  const status = await until('a running plasmd in the status file', async () => {
    const found = await at.status()
    return found.plasmd?.state === 'running' && found.advertising && found.step === 'watch' ? found : undefined
  })
  assert.equal(status.ready, true)
  assert.equal(status.notReadyBecause, null)
  assert.deepEqual(status.addresses, [...ownAddresses()])
  assert.deepEqual(
    status.artifacts.map(({ role }) => role),
    ['kernel', 'initramfs', 'rootfs'],
  )
  const [advertised] = await at.advertisements()
  assert.match(advertised!, /^advertised .*"generation":"2","sequence":"7","machine":"plasm"/)

  const plasmd = status.plasmd!.pid!
  assert.equal(await agent.stop(), 0)
  assert.equal(await lives(plasmd), false)
  assert.match((await at.advertisements()).at(-1)!, /^goodbye/)
  assert.equal((await at.status()).ready, false)
})

test('an agent that is started again serves the same set with the same lineage', async (t) => {
  const at = await machine(t)
  await at.handOver(makeSet())
  const first = at.start()
  await at.event('ready')
  first.process.kill('SIGKILL')
  await first.ended
  const orphan = Number((await readFile(join(at.runDirectory, 'plasmd.pid'), 'utf8')).split(' ')[0])
  assert.equal(await lives(orphan), true)

  at.start()
  const ready = await until(
    'the second ready',
    async () => (await at.events()).filter(({ type }) => type === 'ready')[1],
  )
  assert.equal(ready.type === 'ready' && ready.record.generation, 2)
  assert.equal(await lives(orphan), false)
})

test('an adoption that was cut short goes on where it stopped', async (t) => {
  const at = await machine(t)
  const set = makeSet()
  await at.handOver(set)
  const paths = storePaths(at.store)
  const incoming = join(paths.sets, `.incoming-${sha256Of(set.manifest).slice('sha256:'.length)}`)
  await mkdir(incoming, { recursive: true })
  await rename(join(paths.handover, 'kernel'), join(incoming, 'vmlinuz'))
  await mkdir(join(paths.sets, '.incoming-other'))
  at.start()
  await at.event('ready')
  assert.deepEqual(await readdir(paths.sets), [sha256Of(set.manifest).slice('sha256:'.length)])
})

test('a newer set from an inbox replaces the served one; an older one is ignored', async (t) => {
  const at = await machine(t)
  const paths = storePaths(at.store)
  await mkdir(paths.set('another-channel'), { recursive: true })
  await mkdir(join(at.store, 'testing'))
  await symlink('../.sets/another-channel', paths.link('testing', hostArch()))
  const oldest = makeSet({ sequence: 5 })
  await at.handOver(oldest)
  at.start()
  await at.event('ready')
  await putIntoInbox(at, makeSet({ sequence: 4 }))
  await until('the older set to be ignored', async () =>
    (await readFile(join(at.runDirectory, 'agent.log'), 'utf8')).includes('is ignored: its sequence 4'),
  )
  const newer = makeSet({ sequence: 6 })
  await putIntoInbox(at, newer)
  const ready = await at.event('ready', ({ record }) => record.set.sequence === 6)
  assert.equal(ready.record.generation, 2, 'the machine keeps its lineage')
  assert.deepEqual(Buffer.from(await (await served(at, 'vmlinuz')).arrayBuffer()), newer.files.vmlinuz)
  assert.equal((await lstat(join(at.inbox, 'vmlinuz'))).isFile(), true, 'copied, not moved')
  assert.match((await at.advertisements()).at(-1)!, /^advertised .*"sequence":"6"/)
  await putIntoInbox(at, makeSet({ sequence: 7 }))
  await at.event('ready', ({ record }) => record.set.sequence === 7)
  await until('the oldest set to be removed', async () => !(await readdir(paths.sets)).includes(hexOf(oldest)))
  const kept = await readdir(paths.sets)
  assert.ok(kept.includes(hexOf(newer)), 'the set that was served before stays')
  assert.ok(kept.includes('another-channel'), 'what another channel points to stays')
  assert.equal(await readlink(paths.previous('stable', hostArch())), `../.sets/${hexOf(newer)}`)
})

test('with nothing handed over it waits for an inbox, and takes a set only when its writer is done', async (t) => {
  const at = await machine(t)
  at.start()
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code], ['adopt', 'nothing-to-serve'])
  await until('the reason in the status file', async () =>
    (await at.status()).notReadyBecause?.includes('nothing-to-serve'),
  )

  const set = makeSet()
  const { vmlinuz } = set.files
  await putIntoInbox(at, { ...set, files: { ...set.files, vmlinuz: Buffer.alloc(vmlinuz!.length) } })
  const refused = await at.event('step-failed', ({ step }) => step === 'watch')
  assert.equal(refused.error.code, 'inbox-mismatch')
  assert.deepEqual(await readdir(storePaths(at.store).sets).catch(() => []), [], 'no half set is left')
  await writeFile(join(at.inbox, 'vmlinuz'), vmlinuz!)
  const ready = await at.event('ready')
  assert.equal(ready.record.provider.url, `file://${at.inbox}`)
  assert.equal(ready.record.generation, 1)
})

test('private mode serves nothing, and says so', async (t) => {
  const at = await machine(t, { cmdline: 'phase.mode=private' })
  await at.handOver(makeSet())
  const agent = at.start()
  const { reason } = await at.event('not-ready')
  assert.match(reason, /^private/)
  await assert.rejects(fetch(`${at.url}/health`))
  assert.deepEqual(await readdir(storePaths(at.store).sets).catch(() => []), [])
  assert.equal(await agent.stop(), 0)
  assert.deepEqual(await at.advertisements(), [])
})

test('a second agent for the same store is refused', async (t) => {
  const at = await machine(t)
  const first = at.start()
  await at.event('step-failed')
  const second = at.start()
  assert.equal(await second.ended, 1)
  const refused = await at.event('step-failed', ({ error }) => error.code === 'already-running')
  assert.equal(refused.error.facts.pid, first.process.pid)
  assert.equal((await at.status()).agent.pid, first.process.pid)
})
