import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readSeen } from '../../agent/freshness-file.ts'
import { readTrials, writeTrials } from '../../agent/trial-file.ts'
import { update } from '../../agent/update-command.ts'
import { hostArch } from '../../service/arch.ts'
import { payloadOf } from '../../service/derived-manifest.ts'
import { sha256Of } from '../../service/manifest.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { kexeced } from '../support/fake-kernel.ts'
import { startProvider } from '../support/provider.ts'
import { makeServeMachine, type ServeMachine, until } from '../support/serve-machine.ts'
import { startBoot } from '../support/start-boot.ts'
import { hex } from '../support/store-fixture.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

const ada = makeKey()
const signed = (sequence: number) => signSet(makeSet({ sequence }), ada)
const digestOf = (set: TestSet) => sha256Of(payloadOf(set.manifest))
const PLACE = `stable/${hostArch()}`

type Start = NonNullable<Parameters<ServeMachine['start']>[0]>

/** A machine with `apply = "kexec"` and a data disk, which knows one provider, and its kernels one after the other. */
async function machine(t: TestContext, set: TestSet, offered: TestSet) {
  const provider = await startProvider(offered, { status: { machine: 'plasm-aaaaaa', generation: 0 } })
  t.after(() => provider.close())
  const cmdline = `plasm.stage=serve phase.provider=${provider.url}`
  const at = await makeServeMachine({ cmdline })
  t.after(() => at.remove())
  await writePolicy(join(at.directory, 'policy.toml'), [ada])
  await appendFile(join(at.directory, 'agent.toml'), 'apply = "kexec"\n')
  const state = join(at.directory, 'state')
  await mkdir(state, { mode: 0o700 })
  await at.handOver(set)
  const bin = join(at.directory, 'bin')
  return {
    at,
    provider,
    state,
    bin,
    paths: storePaths(at.store),
    start: (changes: Start = {}) => at.start({ recheckEvery: 200, updateEvery: 300, disk: true, ...changes }),
    /** The kernel that kexec was given starts: its events and what it gives to kexec are its own. */
    async next(nonce: string, bootId: string, changes: Start = {}) {
      for (const name of ['args', 'executed', 'initrd', 'kernel']) await rm(join(bin, name), { force: true })
      await rm(join(at.runDirectory, 'agent.log'), { force: true })
      await writeFile(join(at.directory, 'cmdline'), `${cmdline} plasm.boot=${nonce}\n`)
      return at.start({ recheckEvery: 200, updateEvery: 300, disk: true, bootId, uptimeMs: 0, ...changes })
    },
    kexeced: () => until('kexec', () => kexeced(at.directory)),
    served: async () => (await readlink(storePaths(at.store).link('stable', hostArch()))).replace('../.sets/', ''),
  }
}

test('with apply = "kexec" a newer set is booted on trial, and is no trial any more once it is ready', async (t) => {
  const [first, second] = [signed(1), signed(2)]
  const { at, provider, state, paths, start, next, kexeced, served } = await machine(t, first, second)
  const agent = start()
  const { initrd, kernel, nonce, args } = await kexeced()
  assert.equal(await agent.ended, 'SIGKILL')
  assert.deepEqual(initrd, second.files['initramfs.img']!.subarray(0, second.prefixBytes))
  assert.deepEqual(kernel, second.files.vmlinuz)
  assert.equal(await served(), hex(digestOf(first)), 'until then the first one is served')
  assert.deepEqual(await readTrials(state), {
    trial: { digest: digestOf(second), previous: digestOf(first), nonce, fromBootId: 'this-boot', withinMs: 60_000 },
    bad: [],
  })
  assert.match(args, / panic=\d+/, 'a kernel that panics must not stand still')
  const record = JSON.parse(await readFile(join(paths.handover, 'boot-record.json'), 'utf8'))
  assert.deepEqual(record.provider.url, provider.url)
  assert.deepEqual([record.generation, record.handover, record.bootNonce], [1, 'disk', nonce])
  assert.deepEqual(record.set.manifestDigest, digestOf(second))

  await next(nonce, 'second-boot')
  const ready = await at.event('ready')
  assert.equal(ready.record.set.sequence, 2)
  await until('the marker to be gone', async () => (await readTrials(state)).trial === null)
  assert.equal(await served(), hex(digestOf(second)))
  await until('the release to be remembered', async () => (await readSeen(state)).newest.get(PLACE)?.sequence === 2)
  assert.equal(await readlink(paths.previous('stable', hostArch())), `../.sets/${hex(digestOf(first))}`)
})

test('a set that is not ready in time is left for the one before it, and never taken again', async (t) => {
  const [first, second] = [signed(1), signed(2)]
  const { at, provider, state, start, next, kexeced, served } = await machine(t, first, second)
  await start().ended
  const { nonce } = await kexeced()

  const failing = await next(nonce, 'second-boot', { trialMs: 1, plasmd: ['/bin/false'] })
  // The marker says how long; the setting of the agent that runs now has no say.
  await at.event('step-failed', ({ step }) => step === 'provider')
  await failing.stop()
  const { trial } = await readTrials(state)
  await writeTrials(state, { trial: { ...trial!, withinMs: 3000 }, bad: [] })
  const late = await next(nonce, 'second-boot', { plasmd: ['/bin/false'] })
  const back = await kexeced()
  assert.equal(await late.ended, 'SIGKILL')
  assert.deepEqual(back.kernel, first.files.vmlinuz)
  assert.deepEqual(
    (await readTrials(state)).bad.map(({ digest, reason }) => ({ digest, reason })),
    [{ digest: digestOf(second), reason: 'not ready within 3 s' }],
  )

  await next(back.nonce, 'third-boot')
  const ready = await at.event('ready')
  assert.equal(ready.record.set.sequence, 1, 'the newer one has not shut it out')
  assert.deepEqual([ready.record.provider.discoveredBy, ready.record.generation], ['cache', 1])
  const status = await until('a look', async () => {
    const found = await at.status()
    return found.updates?.lastLook ? found : undefined
  })
  assert.equal((await readTrials(state)).trial, null)
  assert.match(status.updates!.lastLook!.refused[0]!.reason, /\[set-known-bad\]$/)
  assert.deepEqual(
    status.updates!.bad.map(({ digest }) => digest),
    [digestOf(second)],
  )
  assert.equal(await served(), hex(digestOf(first)))

  const third = signed(3)
  await provider.close()
  const later = await startProvider(third, { port: Number(new URL(provider.url).port) })
  t.after(() => later.close())
  assert.deepEqual((await kexeced()).kernel, third.files.vmlinuz, 'another release is another matter')
})

test('after a reset or a power cut the fetch stage boots the set before it, though providers have the bad one', async (t) => {
  const [first, second] = [signed(1), signed(2)]
  const { at, provider, state, start, kexeced } = await machine(t, first, second)
  await start().ended
  await kexeced()

  const boot = await makeMachine(`phase.provider=${provider.url}`)
  await writeFile(join(boot.directory, 'agent.toml'), `store_root = ${JSON.stringify(at.store)}\napply = "kexec"\n`)
  const mounted = { device: '/dev/vda', mountPoint: at.directory, readOnly: false, label: 'PLASM-DATA' }
  const trustFile = join(at.directory, 'policy.toml')
  const parts = { ...boot.parts, stateDirectory: state, dataDisk: () => mounted, trustFile }
  await startBoot(t, { ...boot, parts }).event(({ type }) => type === 'kexec')
  assert.deepEqual((await boot.loaded()).kernel, first.files.vmlinuz)
  const { trial, bad } = await readTrials(state)
  assert.equal(trial, null)
  assert.deepEqual(
    bad.map(({ digest, reason }) => [digest, reason]),
    [[digestOf(second), 'reset or switched off before it was ready']],
  )
})

test('where kexec refuses, the old set is served on, and no set is bad for it', async (t) => {
  const { at, state, bin, paths, start, served } = await machine(t, signed(1), signed(2))
  await writeFile(join(bin, 'refuse'), '')
  start({ updateEvery: 3600_000 })
  await at.event('ready')
  await until('the status to say so', async () => (await at.status()).ready)
  const statusFile = join(at.runDirectory, 'status.json')
  const said: string[] = []
  const asked = update({ action: 'apply', say: (line) => said.push(line), runDirectory: at.runDirectory, statusFile })
  assert.equal((await asked).outcome, 'booting')
  const status = await until('to be ready again', async () => {
    const found = await at.status()
    return found.ready && found.updates?.lastLook?.error ? found : undefined
  })
  assert.equal(status.updates!.lastLook!.error!.code, 'kexec-load-failed')
  assert.equal(status.record?.set.sequence, 1)
  assert.deepEqual(await readTrials(state), { trial: null, bad: [] })
  assert.equal((await readdir(at.store)).includes('.handover'), false)
  assert.equal(await served(), (await readlink(paths.link('stable', hostArch()))).replace('../.sets/', ''))
})

test('a kernel that was never started leaves no trace in the one that should have started it', async (t) => {
  const [first, second] = [signed(1), signed(2)]
  const { at, state, paths, start, kexeced } = await machine(t, first, second)
  await start().ended
  const { nonce } = await kexeced()
  assert.equal((await readdir(paths.handover)).includes('manifest.dsse.json'), true)
  start({ updateEvery: 3600_000 })
  const ready = await until('the second ready', async () =>
    (await at.events()).filter(({ type }) => type === 'ready').at(1),
  )
  assert.equal(ready.type === 'ready' && ready.record.set.sequence, 1)
  assert.notEqual(nonce, '')
  assert.deepEqual(await readTrials(state), { trial: null, bad: [] })
})

test('without a data disk nothing is fetched, and status says what is missing', async (t) => {
  const { at, provider, start } = await machine(t, signed(1), signed(2))
  start({ disk: false })
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code], ['update', 'apply-needs-disk'])
  assert.equal(provider.artifactBytes(), 0)
  await until(
    'the error in the status',
    async () => (await at.status()).updates?.lastLook?.error?.code === 'apply-needs-disk',
  )
  await until('to be ready all the same', async () => (await at.status()).ready)
})

test('where no set is left to go back to, the machine starts anew', async (t) => {
  const [first, second] = [signed(1), signed(2)]
  const { at, state, bin, paths, start, next, kexeced } = await machine(t, first, second)
  await start().ended
  const { nonce } = await kexeced()
  const { trial } = await readTrials(state)
  await writeTrials(state, { trial: { ...trial!, withinMs: 2000 }, bad: [] })
  await writeFile(join(paths.set(digestOf(first)), 'vmlinuz'), 'rotten')
  const agent = await next(nonce, 'second-boot', { plasmd: ['/bin/false'] })
  await until('a reboot', () => readFile(join(bin, 'rebooted')))
  assert.equal(await agent.ended, 1)
  assert.equal((await readTrials(state)).bad[0]?.digest, digestOf(second))
  assert.equal((await readdir(at.store)).includes('.handover'), false)
})
