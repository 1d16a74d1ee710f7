import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { adopt } from '../../agent/adopt.ts'
import { adoptIdentity } from '../../agent/adopt-identity.ts'
import { boot } from '../../agent/boot.ts'
import type { BootRecord } from '../../agent/boot-record.ts'
import type { DataDisk } from '../../agent/data-disk.ts'
import type { AgentEvent } from '../../agent/events.ts'
import { storeOnDisk } from '../../agent/handover-disk.ts'
import { readRecord } from '../../agent/record-file.ts'
import { hostArch } from '../../service/arch.ts'
import { storePaths } from '../../service/store-layout.ts'
import { type BootMachine, makeMachine } from '../support/boot-machine.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { DISK_DIR } from '../support/disk-dir.ts'
import { startProvider } from '../support/provider.ts'
import { TRUSTING } from '../support/trust.ts'

const EXPECTED = { channel: 'stable', arch: hostArch() }

interface Disk {
  readonly root: string
  readonly stateDirectory: string
  readonly paths: ReturnType<typeof storePaths>
  readonly mounted: DataDisk
}

/** What a data disk holds when init has mounted it for the first time. */
async function blankDisk(t: TestContext): Promise<Disk> {
  const mountPoint = await mkdtemp(join(DISK_DIR, 'plasm-disk-'))
  t.after(() => rm(mountPoint, { recursive: true, force: true }))
  const root = join(mountPoint, 'boot-artifacts')
  const stateDirectory = join(mountPoint, 'state')
  await mkdir(root, { mode: 0o755 })
  await mkdir(stateDirectory, { mode: 0o700 })
  const mounted = { device: '/dev/vda', mountPoint, readOnly: false, label: 'PLASM-DATA' }
  return { root, stateDirectory, paths: storePaths(root), mounted }
}

async function machineWith({ root, stateDirectory, mounted }: Disk, cmdline: string): Promise<BootMachine> {
  const machine = await makeMachine(cmdline)
  await writeFile(join(machine.directory, 'agent.toml'), `store_root = ${JSON.stringify(root)}\n`)
  return { ...machine, parts: { ...machine.parts, stateDirectory, dataDisk: () => mounted } }
}

/** The fetch stage up to an event; then it is over, as a machine's is, and nothing of it writes to the disk any more. */
async function bootUntil(t: TestContext, machine: BootMachine, type: AgentEvent['type']): Promise<AgentEvent> {
  t.after(() => machine.remove())
  const over = new AbortController()
  const ended = boot({ ...machine.parts, signal: over.signal })
  const event = await machine.event((one) => one.type === type)
  over.abort()
  await ended
  return event
}

/** The fetch stage up to kexec, and then what the serve stage takes over. */
async function bootOnto(t: TestContext, disk: Disk, set: TestSet) {
  const provider = await startProvider(set, { status: { machine: 'plasm-aaaaaa', generation: 4 } })
  const machine = await machineWith(disk, `plasm.run=r1 phase.provider=${provider.url}`)
  await bootUntil(t, machine, 'kexec')
  await provider.close()
  return { provider, machine, handedOver: await handedOver(disk) }
}

async function handedOver({ paths }: Disk) {
  const text = await readFile(join(paths.handover, 'boot-record.json'), 'utf8')
  return { record: JSON.parse(text) as BootRecord, names: (await readdir(paths.handover)).sort() }
}

async function serveStage(disk: Disk, bootNonce: string) {
  const set = await adopt(disk.root, TRUSTING, EXPECTED)
  const places = { stateDirectory: disk.stateDirectory, runDirectory: join(disk.mounted.mountPoint, 'run') }
  const identity = await adoptIdentity({ storeRoot: disk.root, mode: 'local', bootNonce }, places)
  return { set, identity, record: await readRecord(disk.root) }
}

test('with a data disk the set crosses kexec on it, and next to nothing of it in memory', async (t) => {
  const disk = await blankDisk(t)
  const set = makeSet()
  const { provider, machine, handedOver } = await bootOnto(t, disk, set)
  const { initrd, kernel } = await machine.loaded()
  assert.deepEqual(initrd, set.files['initramfs.img']!.subarray(0, set.prefixBytes), 'the prefix alone')
  assert.deepEqual(kernel, set.files.vmlinuz)
  assert.deepEqual(handedOver.names, ['boot-record.json', 'initramfs', 'kernel', 'manifest.json', 'node-key', 'rootfs'])
  const { record } = handedOver
  assert.deepEqual([record.handover, record.generation, record.runId], ['disk', 5, 'r1'])
  assert.ok(record.budget.initrdMiB <= 1, `${record.budget.initrdMiB} MiB of initrd`)
  const digest = record.set.manifestDigest.replace('sha256:', '')
  assert.equal(await readlink(join(disk.paths.handover, 'rootfs')), `../.sets/${digest}/rootfs.sqfs`)
  assert.deepEqual(await readFile(join(disk.paths.handover, 'initramfs')), set.files['initramfs.img'])
  assert.equal((await stat(disk.paths.handover)).mode & 0o777, 0o700)
  const total = Object.values(set.files).reduce((sum, bytes) => sum + bytes.length, 0)
  assert.equal(provider.artifactBytes(), total, 'every byte is fetched once')

  const served = await serveStage(disk, record.bootNonce)
  assert.equal(served.set.dir, disk.paths.set(digest))
  assert.deepEqual(await readFile(join(served.set.dir, 'vmlinuz')), set.files.vmlinuz)
  assert.equal(await readlink(disk.paths.link('stable', hostArch())), `../.sets/${digest}`)
  assert.deepEqual(await readdir(disk.paths.handover), [])
  assert.equal(served.identity.peerId, record.peerId)
  assert.deepEqual(served.record, record)
})

test('what an earlier boot left half done is cleared away before anything is fetched', async (t) => {
  const disk = await blankDisk(t)
  await mkdir(disk.paths.handover, { mode: 0o700 })
  await writeFile(join(disk.paths.handover, 'manifest.json'), makeSet().manifest)
  await writeFile(join(disk.paths.handover, 'boot-record.json'), '{}')
  await mkdir(join(disk.paths.sets, '.incoming-1'), { recursive: true, mode: 0o755 })
  const machine = await machineWith(disk, 'phase.cache=false')
  await bootUntil(t, machine, 'not-ready')
  assert.deepEqual(await readdir(disk.root), ['.sets'])
  assert.deepEqual(await readdir(disk.paths.sets), [])
})

test('with no provider in reach the newest set of the disk is booted, and keeps where it came from', async (t) => {
  const disk = await blankDisk(t)
  const first = await bootOnto(t, disk, makeSet({ sequence: 1 }))
  await serveStage(disk, first.handedOver.record.bootNonce)
  const newest = makeSet({ sequence: 2 })
  const { record } = (await bootOnto(t, disk, newest)).handedOver
  const before = await serveStage(disk, record.bootNonce)

  const machine = await machineWith(disk, '')
  await bootUntil(t, machine, 'kexec')
  const cached = await handedOver(disk)
  assert.deepEqual(cached.record.provider, { ...record.provider, discoveredBy: 'cache' })
  assert.deepEqual([cached.record.handover, cached.record.generation], ['disk', record.generation])
  assert.equal(cached.record.set.manifestDigest, record.set.manifestDigest)
  assert.notEqual(cached.record.bootNonce, record.bootNonce)
  assert.deepEqual(cached.names, ['boot-record.json', 'initramfs', 'kernel', 'manifest.json', 'rootfs'])
  assert.deepEqual((await machine.loaded()).kernel, newest.files.vmlinuz)
  const skipped = machine.events.flatMap((event) => (event.type === 'step-skipped' ? [event.step] : []))
  assert.deepEqual(skipped, ['manifests', 'fetch', 'receipt'])

  const served = await serveStage(disk, cached.record.bootNonce)
  assert.equal(served.identity.peerId, before.identity.peerId)
  assert.equal(served.set.dir, before.set.dir)
})

test('a set that has rotted on the disk is passed over for the one before it', async (t) => {
  const disk = await blankDisk(t)
  const older = (await bootOnto(t, disk, makeSet({ sequence: 1 }))).handedOver.record
  await serveStage(disk, older.bootNonce)
  const newest = (await bootOnto(t, disk, makeSet({ sequence: 2 }))).handedOver.record
  await serveStage(disk, newest.bootNonce)
  await writeFile(join(disk.paths.set(newest.set.manifestDigest), 'vmlinuz'), 'rotten')

  const machine = await machineWith(disk, '')
  await bootUntil(t, machine, 'kexec')
  const { record } = await handedOver(disk)
  assert.equal(record.set.manifestDigest, older.set.manifestDigest)
  assert.equal(record.provider.discoveredBy, 'cache')
  const rotten = `file://${disk.paths.set(newest.set.manifestDigest)}`
  const rejected = machine.events.find(
    (event) => event.type === 'candidate' && event.verdict === 'rejected' && event.url === rotten,
  )
  assert.match(JSON.stringify(rejected), /kernel in .* is not what the manifest says \[artifact-digest-mismatch\]/)
})

test('providers that have nothing for this machine do not keep it from booting what it has', async (t) => {
  const disk = await blankDisk(t)
  const { record } = (await bootOnto(t, disk, makeSet())).handedOver
  await serveStage(disk, record.bootNonce)
  const useless = await startProvider(makeSet({ channel: 'testing' }))
  const machine = await machineWith(disk, `phase.provider=${useless.url}`)
  t.after(() => useless.close())
  await bootUntil(t, machine, 'kexec')
  assert.equal((await handedOver(disk)).record.provider.discoveredBy, 'cache')
  assert.deepEqual(machine.failures(), [{ step: 'verify', code: 'wrong-channel', provider: undefined }])
})

test('phase.cache=false keeps a machine waiting for a provider', async (t) => {
  const disk = await blankDisk(t)
  const { record } = (await bootOnto(t, disk, makeSet())).handedOver
  await serveStage(disk, record.bootNonce)
  const machine = await machineWith(disk, 'phase.cache=false')
  const event = await bootUntil(t, machine, 'not-ready')
  assert.match(JSON.stringify(event), /no-provider/)
})

test('the disk is used only where the next kernel finds it again, and where it may be written to', async (t) => {
  const { root, mounted } = await blankDisk(t)
  const config = { storeRoot: root, mode: 'local', noWrite: false } as const
  assert.equal(await storeOnDisk(config, () => mounted), root)
  assert.equal(await storeOnDisk({ ...config, noWrite: true }, () => mounted), undefined)
  assert.equal(await storeOnDisk({ ...config, mode: 'private' }, () => mounted), undefined)
  assert.equal(await storeOnDisk(config, () => ({ ...mounted, readOnly: true })), undefined)
  assert.equal(await storeOnDisk(config, () => ({ ...mounted, label: 'OTHER' })), undefined)
  assert.equal(await storeOnDisk(config, () => ({ ...mounted, mountPoint: '/mnt' })), undefined)
  assert.equal(await storeOnDisk(config, () => undefined), undefined)
})
