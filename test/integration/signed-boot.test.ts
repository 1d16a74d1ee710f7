import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { handover } from '../../agent/handover-command.ts'
import { HANDOVER_DIR } from '../../agent/handover-layout.ts'
import { hostArch } from '../../service/arch.ts'
import { sha256Of } from '../../service/manifest.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet } from '../support/boot-set.ts'
import { startProvider } from '../support/provider.ts'
import { makeServeMachine, putIntoInbox, type ServeMachine, until } from '../support/serve-machine.ts'
import { startBoot } from '../support/start-boot.ts'
import { makeKey, type SignedSet, signSet, writePolicy } from '../support/trust.ts'

const run = promisify(execFile)
const key = makeKey()

async function directoryFor(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-signed-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function writeSet(dir: string, set: SignedSet): Promise<void> {
  await mkdir(dir, { recursive: true })
  for (const [name, bytes] of Object.entries(set.files)) await writeFile(join(dir, name), bytes)
  await writeFile(join(dir, 'manifest.dsse.json'), set.envelope)
}

/** `python3 -m http.server` over a directory. */
async function pythonServes(t: TestContext, directory: string): Promise<string> {
  const child = spawn('python3', ['-u', '-m', 'http.server', '--bind', '127.0.0.1', '--directory', directory, '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.after(async () => {
    child.kill()
    await once(child, 'exit')
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return `http://127.0.0.1:${/port (\d+)/.exec(line.toString())?.[1]}`
}

async function carriedEnvelope(initrd: Buffer, prefixBytes: number, scratch: string): Promise<Buffer> {
  await writeFile(join(scratch, 'carry.cpio'), initrd.subarray(prefixBytes))
  const member = `${HANDOVER_DIR}/manifest.dsse.json`
  const args = ['-i', '--quiet', '--to-stdout', '-F', join(scratch, 'carry.cpio'), member]
  return (await run('cpio', args, { encoding: 'buffer' })).stdout
}

test('python3 -m http.server over a published directory is provider enough for a signed boot', async (t) => {
  const site = await directoryFor(t)
  const set = signSet(makeSet({ sequence: 3, agentBytes: 2_000_000 }), key)
  await writeSet(join(site, 'stable', hostArch()), set)
  const url = await pythonServes(t, site)
  const machine = await makeMachine(`phase.provider=${url}`)
  await writePolicy(machine.parts.trustFile!, [key])
  await startBoot(t, machine).event(({ type }) => type === 'kexec')
  assert.deepEqual(machine.failures(), [])
  const { initrd, kernel } = await machine.loaded()
  assert.deepEqual(kernel, set.files.vmlinuz)
  for (const bytes of Object.values(set.files)) assert.ok(initrd.includes(bytes))
  assert.deepEqual(await carriedEnvelope(initrd, set.prefixBytes, machine.directory), set.envelope)
})

test('an image without keys asks for the plain manifest only', async (t) => {
  const set = signSet(makeSet(), key)
  const provider = await startProvider({ ...set, envelope: Buffer.from('not looked at') })
  const machine = await makeMachine(`phase.provider=${provider.url}`)
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'kexec')
  assert.ok((await machine.loaded()).initrd.includes(set.manifest))
})

test('an image that allows unsigned sets takes a plain one where there is no envelope', async (t) => {
  const set = makeSet()
  const provider = await startProvider(set)
  const machine = await makeMachine(`phase.provider=${provider.url}`)
  await writePolicy(machine.parts.trustFile!, [key], { allow_unsigned: 'true' })
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'kexec')
  assert.ok((await machine.loaded()).initrd.includes(set.manifest))
})

test('the handover command carries the envelope', async (t) => {
  const set = signSet(makeSet(), key)
  const machine = await makeMachine('')
  t.after(() => machine.remove())
  const { sources, trustFile, stateDirectory } = machine.parts
  await writePolicy(trustFile!, [key])
  const directory = join(machine.directory, 'downloaded')
  await writeSet(directory, set)
  const initrd = join(machine.directory, 'initrd')
  const result = await handover({
    directory,
    initrd,
    sources: sources!,
    trustFile: trustFile!,
    stateDirectory: stateDirectory!,
  })
  assert.equal(result.manifestDigest, sha256Of(Buffer.from(JSON.parse(set.envelope.toString()).payload, 'base64')))
  assert.deepEqual(await carriedEnvelope(await readFile(initrd), set.prefixBytes, machine.directory), set.envelope)
})

async function signedMachine(t: TestContext): Promise<ServeMachine> {
  const at = await makeServeMachine()
  t.after(() => at.remove())
  await writePolicy(join(at.directory, 'policy.toml'), [key])
  await mkdir(join(at.directory, 'state'))
  return at
}

const served = async (at: ServeMachine, file: string) =>
  Buffer.from(await (await fetch(`${at.url}/stable/${hostArch()}/${file}`)).arrayBuffer())
const remembered = async (at: ServeMachine) => readFile(join(at.directory, 'state', 'freshness.json'), 'utf8')

test('the envelope is served on byte for byte, and a plain manifest made of it for old clients', async (t) => {
  const at = await signedMachine(t)
  const set = signSet(makeSet({ sequence: 7 }), key)
  await at.handOver(set)
  at.start()
  const ready = await at.event('ready')
  const digest = sha256Of(Buffer.from(JSON.parse(set.envelope.toString()).payload, 'base64'))
  assert.equal(ready.record.set.manifestDigest, digest)
  assert.deepEqual(await served(at, 'manifest.dsse.json'), set.envelope)
  assert.deepEqual(await served(at, 'manifest.json'), set.manifest)
  const status = (await (await fetch(`${at.url}/status`)).json()) as { sets: { manifest_digest: string }[] }
  assert.equal(status.sets[0]!.manifest_digest, digest)
  assert.deepEqual(JSON.parse(await remembered(at)).channels[`stable/${hostArch()}`], { sequence: 7, digest })

  const newer = signSet(makeSet({ sequence: 8 }), key)
  await putIntoInbox(at, newer)
  await until('the newer set', async () => (await served(at, 'manifest.dsse.json')).equals(newer.envelope))
  await until(
    'the newer sequence',
    async () => JSON.parse(await remembered(at)).channels[`stable/${hostArch()}`].sequence === 8,
  )
})

test('the envelope of generation 5 is the origin’s, byte for byte', async (t) => {
  const set = signSet(makeSet({ sequence: 3 }), key)
  const origin = await startProvider(set)
  let url = origin.url
  for (let generation = 1; generation <= 5; generation += 1) {
    const machine = await makeMachine(`phase.provider=${url}`)
    await writePolicy(machine.parts.trustFile!, [key])
    await startBoot(t, machine, generation === 1 ? [origin] : []).event(({ type }) => type === 'kexec')
    const { initrd } = await machine.loaded()
    const envelope = await carriedEnvelope(initrd, set.prefixBytes, machine.directory)
    const at = await signedMachine(t)
    await at.handOver({ ...set, envelope })
    at.start()
    await at.event('ready')
    url = at.url
  }
  const last = await fetch(`${url}/stable/${hostArch()}/manifest.dsse.json`)
  assert.deepEqual(Buffer.from(await last.arrayBuffer()), set.envelope)
})

test('a machine stops advertising a set that expires while it serves', async (t) => {
  const at = await signedMachine(t)
  const expires = new Date(Date.now() + 6000).toISOString()
  await at.handOver(signSet(makeSet({ change: (manifest) => Object.assign(manifest, { expires_at: expires }) }), key))
  at.start({ recheckEvery: 250 })
  await at.event('ready')
  const { reason } = await at.event('not-ready')
  assert.match(reason, /no longer to be served: it expired at .*\[manifest-expired\]/)
  await until('a goodbye', async () => (await at.advertisements()).some((line) => line.startsWith('goodbye')))
  await at.event('step-failed', ({ step, error }) => step === 'adopt' && error.code === 'manifest-expired')
  assert.equal((await at.advertisements()).filter((line) => line.startsWith('advertised')).length, 1)
})

test('a machine stops advertising a set once it remembers a newer one', async (t) => {
  const at = await signedMachine(t)
  await at.handOver(signSet(makeSet({ sequence: 7 }), key))
  at.start({ recheckEvery: 250 })
  await at.event('ready')
  await writeFile(join(at.directory, 'state', 'freshness.json'), (await remembered(at)).replace(':7', ':9'))
  const { reason } = await at.event('not-ready')
  assert.match(reason, /its sequence 7 is below 9.*\[manifest-rollback\]/)
  await at.event('step-failed', ({ step, error }) => step === 'adopt' && error.code === 'manifest-rollback')
})

test('a machine whose set has expired goes on with a newer one as soon as somebody has it', async (t) => {
  const expires = new Date(Date.now() + 7000).toISOString()
  const old = makeSet({ sequence: 5, change: (manifest) => Object.assign(manifest, { expires_at: expires }) })
  const newer = signSet(makeSet({ sequence: 6 }), key)
  const provider = await startProvider(newer)
  t.after(() => provider.close())
  const at = await makeServeMachine({ cmdline: `plasm.stage=serve phase.provider=${provider.url}` })
  t.after(() => at.remove())
  await writePolicy(join(at.directory, 'policy.toml'), [key])
  await at.handOver(signSet(old, key))
  at.start()
  await at.event('ready', ({ record }) => record.set.sequence === 5)
  const refused = await at.event('step-failed')
  assert.deepEqual([refused.step, refused.error.code], ['adopt', 'manifest-expired'])
  await at.event('ready', ({ record }) => record.set.sequence === 6)
})
