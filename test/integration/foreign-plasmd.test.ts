import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { archNames, hostArch } from '../../service/arch.ts'
import { sha256Of } from '../../service/manifest.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet } from '../support/boot-set.ts'
import { foreignProgram } from '../support/foreign-program.ts'
import { lives, makeServeMachine, type ServeMachine, until } from '../support/serve-machine.ts'
import { startBoot } from '../support/start-boot.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

const run = promisify(execFile)
const key = makeKey()

async function machine(t: TestContext): Promise<ServeMachine> {
  const made = await makeServeMachine()
  t.after(() => made.remove())
  return made
}

async function signedMachine(t: TestContext): Promise<ServeMachine> {
  const at = await machine(t)
  await writePolicy(join(at.directory, 'policy.toml'), [key])
  return at
}

const bytesAt = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer())

test('a foreign plasmd is supervised, proven and advertised, and the next machine boots from it', async (t) => {
  const at = await signedMachine(t)
  const set = signSet(makeSet({ sequence: 3, agentBytes: 2_000_000 }), key)
  await at.handOver(set)
  const program = await foreignProgram(at.directory)
  const agent = at.start({ plasmd: [program], recheckEvery: 200 })
  await at.event('ready')
  assert.match((await at.advertisements())[0]!, /^advertised .*"generation":"2","sequence":"3"/)

  const place = `${at.url}/stable/${hostArch()}`
  const own = JSON.parse((await bytesAt(`${place}/manifest.json`)).toString('utf8'))
  assert.equal(own.sequence, undefined, 'its manifest is one of its own')
  for (const name of archNames(hostArch())) {
    assert.deepEqual(await bytesAt(`${at.url}/stable/${name}/manifest.dsse.json`), set.envelope)
  }
  assert.equal((await fetch(`${place}/vmlinuz`, { headers: { range: 'bytes=-5' } })).status, 416)
  const { plasmd } = await until('a running plasmd in the status', async () => {
    const found = await at.status()
    return found.plasmd?.state === 'running' && found.plasmd.requests !== null ? found : undefined
  })
  assert.equal(plasmd!.foreign, true)
  assert.equal((await run(program, ['version'])).stdout, 'plasmd 0.1.0\n')
  const asked = JSON.parse((await run(program, ['provider', 'status', '--json', '--addr', at.url])).stdout)
  assert.equal(asked.health.status, 'healthy')

  const next = await makeMachine(`phase.provider=${at.url}`)
  await writePolicy(next.parts.trustFile!, [key])
  const booting = startBoot(t, next)
  await booting.event(({ type }) => type === 'kexec')
  assert.deepEqual(next.failures(), [])
  const skipped = next.events.find((event) => event.type === 'step-skipped' && event.step === 'receipt')
  assert.equal(skipped?.type === 'step-skipped' && skipped.reason, 'the provider gives no receipts')
  const { kernel, initrd } = await next.loaded()
  assert.deepEqual(kernel, set.files.vmlinuz)
  assert.ok(initrd.includes(set.envelope))

  assert.deepEqual(
    (await at.events()).filter(({ type }) => type === 'not-ready'),
    [],
    'it stays ready while it is looked at again',
  )
  assert.equal(await agent.stop(), 0)
  assert.equal(await lives(plasmd!.pid!), false)
})

test('what a foreign plasmd has no use for lies outside of what it serves: the node key', async (t) => {
  const at = await signedMachine(t)
  await at.handOver(signSet(makeSet(), key))
  const seed = Buffer.alloc(32, 7)
  const handedOver = join(storePaths(at.store).handover, 'node-key')
  await writeFile(handedOver, seed, { mode: 0o600 })
  at.start({ plasmd: [await foreignProgram(at.directory)] })
  await at.event('ready')
  assert.deepEqual(await readFile(join(at.runDirectory, 'node-key')), seed)
  await assert.rejects(stat(storePaths(at.store).nodeKey), { code: 'ENOENT' })
  await assert.rejects(stat(handedOver), { code: 'ENOENT' })
})

test('of an unsigned set, the artifacts that its own manifest names are compared', async (t) => {
  const at = await machine(t)
  const set = makeSet({ sequence: 4 })
  await at.handOver(set)
  at.start({ plasmd: [await foreignProgram(at.directory)] })
  const ready = await at.event('ready')
  assert.equal(ready.record.set.manifestDigest, sha256Of(set.manifest))
  assert.notDeepEqual(await bytesAt(`${at.url}/stable/${hostArch()}/manifest.json`), set.manifest)
})

for (const fault of ['no-ranges', 'no-head', 'bare']) {
  test(`a server that lacks something is good enough: ${fault}`, async (t) => {
    const at = await signedMachine(t)
    await at.handOver(signSet(makeSet(), key))
    at.start({ plasmd: [await foreignProgram(at.directory, fault)], recheckEvery: 100 })
    await at.event('ready')
    await new Promise((looked) => setTimeout(looked, 1000))
    assert.deepEqual(
      (await at.events()).filter(({ type }) => type === 'not-ready'),
      [],
    )
    assert.equal((await at.status()).ready, true)
  })
}
