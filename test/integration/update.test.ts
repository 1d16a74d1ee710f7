import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { type UpdateResult, update } from '../../agent/update-command.ts'
import { leaveRequest } from '../../agent/update-request.ts'
import { hostArch } from '../../service/arch.ts'
import { payloadOf } from '../../service/derived-manifest.ts'
import { sha256Of } from '../../service/manifest.ts'
import { makeSet, type TestSet, type TestSetOptions } from '../support/boot-set.ts'
import { DISK_DIR } from '../support/disk-dir.ts'
import { kernelOf, machineThatKnows, provider } from '../support/machine-and-providers.ts'
import type { Misbehave, TestProvider } from '../support/provider.ts'
import { makeServeMachine, type ServeMachine, until } from '../support/serve-machine.ts'
import { hex, layOut, setsIn } from '../support/store-fixture.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

const ada = makeKey()
const eve = makeKey()
const release = (sequence: number, more: TestSetOptions = {}) => makeSet({ sequence, ...more })
const signed = (sequence: number, more: TestSetOptions = {}) => signSet(release(sequence, more), ada)
const digestOf = (set: TestSet) => sha256Of(payloadOf(set.manifest))

/** A machine that is ready, trusts ada's signature alone and knows some providers. */
async function machine(
  t: TestContext,
  set: TestSet,
  providers: readonly TestProvider[],
  updateEvery: number,
): Promise<ServeMachine> {
  const at = await machineThatKnows(
    t,
    providers.map(({ url }) => url),
  )
  await writePolicy(join(at.directory, 'policy.toml'), [ada])
  // There is a disk to remember on what was used.
  await mkdir(join(at.directory, 'state'))
  await at.handOver(set)
  at.start({ recheckEvery: 200, updateEvery })
  await at.event('ready')
  await until('the status to say so', async () => (await at.status()).ready)
  return at
}

const looked = (at: ServeMachine) =>
  until('a look for newer sets', async () => (await at.status()).updates?.lastLook ?? undefined)

function ask(at: ServeMachine, action: 'check' | 'apply', said: string[] = []): Promise<UpdateResult> {
  const statusFile = join(at.runDirectory, 'status.json')
  return update({
    action,
    say: (line) => said.push(line),
    runDirectory: at.runDirectory,
    statusFile,
    patienceMs: 15_000,
  })
}

test('a serving machine takes a newer set when another provider has it, and serves that one', async (t) => {
  const [first, second] = [signed(1), signed(2)]
  const before = await provider(t, first)
  const at = await machine(t, first, [before], 300)
  assert.deepEqual((await looked(at)).refused, [])
  assert.equal((await at.status()).updates?.newest, null)
  assert.deepEqual(
    (await at.events()).filter(({ type }) => type === 'candidate'),
    [],
    'a look that finds nothing is not worth a line',
  )
  assert.equal(before.artifactBytes(), 0)

  await before.close()
  const after = await provider(t, second, { port: Number(new URL(before.url).port), status: { generation: 0 } })
  const ready = await at.event('ready', ({ record }) => record.set.sequence === 2)
  assert.equal(ready.record.generation, 2, 'it keeps its own lineage')
  assert.deepEqual(await kernelOf(at), second.files.vmlinuz)
  const envelope = await fetch(`${at.url}/stable/${hostArch()}/manifest.dsse.json`)
  assert.deepEqual(Buffer.from(await envelope.arrayBuffer()), second.envelope, 'handed on byte for byte')
  assert.match((await at.advertisements()).at(-1)!, /^advertised .*"sequence":"2"/)
  const { reason } = await at.event('not-ready', (event) => event.reason.includes('newer set'))
  assert.equal(reason, `a newer set was fetched from ${after.url}`)
  await at.event('step-done', ({ step }) => step === 'update')
  const status = await until('the status to say so', async () => {
    const found = await at.status()
    return found.record?.set.sequence === 2 && found.ready && found.step === 'watch' ? found : undefined
  })
  assert.equal(status.updates?.newest, null)
  assert.equal(status.updates?.fetching, null)
  assert.deepEqual(
    await setsIn(at.store),
    [hex(digestOf(first)), hex(digestOf(second))].sort(),
    'the one before is kept',
  )
})

test('what is older, unsigned, of another key, expired or signed twice is left, and status says why', async (t) => {
  const serving = signed(5)
  const wrong: Readonly<Record<string, TestSet>> = {
    'manifest-rollback': signed(4),
    'unsigned-refused': release(6),
    'signature-refused': signSet(release(7), eve),
    'manifest-expired': signed(8, {
      change: (manifest) => Object.assign(manifest, { expires_at: '2026-02-01T00:00:00Z' }),
    }),
    'wrong-channel': signed(9, { channel: 'testing' }),
    'manifest-equivocation': signed(5),
  }
  const providers = new Map<string, TestProvider>()
  for (const [code, set] of Object.entries(wrong)) providers.set(code, await provider(t, set))
  const at = await machine(t, serving, [...providers.values()], 3600_000)
  const result = await ask(at, 'apply')
  assert.equal(result.outcome, 'up-to-date')
  assert.equal(result.found, providers.size)
  const refused = new Map(result.refused.map(({ url, reason }) => [url, reason]))
  for (const [code, { url }] of providers) {
    if (code === 'manifest-rollback') assert.equal(refused.get(url), undefined, 'to be older is no fault')
    else assert.match(refused.get(url)!, new RegExp(`\\[${code}\\]$`))
  }
  assert.deepEqual((await at.status()).updates?.lastLook?.refused, result.refused)
  assert.deepEqual(await kernelOf(at), serving.files.vmlinuz)
  assert.equal(
    [...providers.values()].reduce((sum, one) => sum + one.artifactBytes(), 0),
    0,
  )
})

test('a provider that lies about a newer set does not keep this machine from an honest one', async (t) => {
  const newest = signed(3)
  const vmlinuz = Buffer.from(newest.files.vmlinuz!).fill(0, 70_000)
  const liar = await provider(t, { ...newest, files: { ...newest.files, vmlinuz } })
  const next = signed(2)
  const honest = await provider(t, next)
  const serving = signed(1)
  const at = await machine(t, serving, [liar, honest], 300)
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code], ['update', 'chunk-digest-mismatch'])
  const ready = await at.event('ready', ({ record }) => record.set.sequence > 1)
  assert.equal(ready.record.set.sequence, 2)
  assert.deepEqual(await kernelOf(at), next.files.vmlinuz)
  const events = await at.events()
  const lost = events.filter(({ type }) => type === 'not-ready')
  assert.equal(lost.length, 1, 'it was ready all the time but for the change of sets')
  assert.deepEqual(
    (await setsIn(at.store)).filter((name) => name.startsWith('.')),
    [],
  )
})

test('by hand: what is newer is told, then fetched and served; both say what was found', async (t) => {
  const [first, second] = [signed(1), signed(2)]
  const one = await provider(t, second)
  const at = await machine(t, first, [one], 3600_000)
  const checked = await ask(at, 'check')
  assert.deepEqual(checked, {
    outcome: 'newer',
    served: { sequence: 1, version: '0.1.0', manifestDigest: digestOf(first) },
    newest: {
      sequence: 2,
      version: '0.1.0',
      manifestDigest: digestOf(second),
      bytes: Object.values(second.files).reduce((sum, { length }) => sum + length, 0),
      providers: [one.url],
    },
    found: 1,
    refused: [],
  })
  assert.equal(one.artifactBytes(), 0)
  const said: string[] = []
  const applied = await ask(at, 'apply', said)
  assert.equal(applied.outcome, 'applied')
  assert.equal(applied.served?.manifestDigest, digestOf(second))
  assert.equal(applied.newest, null)
  assert.equal(said[0], 'the agent is asked')
  assert.deepEqual(await kernelOf(at), second.files.vmlinuz)
  const again = await Promise.all([ask(at, 'apply'), ask(at, 'check')])
  assert.deepEqual(
    again.map(({ outcome }) => outcome),
    ['up-to-date', 'up-to-date'],
  )
})

test('by hand: it is said why nothing can be asked or found', async (t) => {
  const gone = await provider(t, signed(2))
  await gone.close()
  const at = await machine(t, signed(1), [gone], 3600_000)
  await assert.rejects(ask(at, 'check'), { code: 'no-provider' })
  assert.equal((await at.status()).ready, true, 'to be alone is no fault')

  const waiting = await makeServeMachine()
  t.after(() => waiting.remove())
  await assert.rejects(ask(waiting, 'check'), { code: 'agent-not-running' })
  waiting.start()
  await waiting.event('step-failed')
  await until('the reason in the status', async () =>
    (await waiting.status()).notReadyBecause?.includes('nothing-to-serve'),
  )
  await assert.rejects(ask(waiting, 'apply'), { code: 'update-not-ready' })
})

test('in private mode nobody is asked', async (t) => {
  const one = await provider(t, signed(2))
  const at = await makeServeMachine({ cmdline: `plasm.stage=serve phase.mode=private phase.provider=${one.url}` })
  t.after(() => at.remove())
  await at.handOver(signed(1))
  at.start({ recheckEvery: 100, updateEvery: 100 })
  await until('the reason in the status', async () => (await at.status()).notReadyBecause?.startsWith('private'))
  await assert.rejects(ask(at, 'apply'), { code: 'update-not-ready', message: /private/ })
  assert.equal((await at.status()).updates, null)
  assert.deepEqual(one.seen, [])
})

test('an agent that is stopped while it fetches ends at once; a request that nobody waits for is not lost', async (t) => {
  const second = signed(2)
  const hangs: Misbehave = ({ file, bytes, response, count }) => {
    if (file !== 'vmlinuz' || count > 1) return false
    response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 70_000))
    return true
  }
  const one = await provider(t, second, { misbehave: hangs })
  const urls = `plasm.stage=serve phase.provider=${one.url}`
  const at = await makeServeMachine({ cmdline: urls })
  t.after(() => at.remove())
  await writePolicy(join(at.directory, 'policy.toml'), [ada])
  await at.handOver(signed(1))
  const agent = at.start({ recheckEvery: 200 })
  await at.event('ready')
  await until('the status to say so', async () => (await at.status()).ready)
  await writeFile(join(at.runDirectory, 'update-request.json'), 'no request')
  await until('what is no request to be thrown away', () =>
    leaveRequest(at.runDirectory, { id: '5f0c1c5e-4b1f-4d53-9b43-3f8d9c3f5a11', action: 'apply' }),
  )
  await until('a transfer that hangs', async () => one.seen.some(({ path }) => path.endsWith('vmlinuz')))
  assert.equal((await at.status()).ready, true, 'the old set is served meanwhile')
  const stoppedAt = performance.now()
  agent.process.kill('SIGTERM')
  await once(agent.process, 'exit')
  assert.ok(performance.now() - stoppedAt < 5000, `it took ${performance.now() - stoppedAt} ms`)
  assert.equal((await setsIn(at.store)).length, 1, 'nothing is left of what was fetched')

  await leaveRequest(at.runDirectory, { id: '5f0c1c5e-4b1f-4d53-9b43-3f8d9c3f5a12', action: 'apply' })
  at.start({ recheckEvery: 200 })
  await at.event('ready', ({ record }) => record.set.sequence === 2)
})

test('over mDNS, while it advertises itself: another machine on the link is found, and its newer set taken', async (t) => {
  const artifacts = await mkdtemp(join(DISK_DIR, 'plasm-newer-'))
  t.after(() => rm(artifacts, { recursive: true, force: true }))
  const newer = makeSet({ sequence: 2 })
  await layOut(join(artifacts, 'stable', hostArch()), newer)
  const node = (file: string) => `${process.execPath} ${join(import.meta.dirname, '../..', file)}`
  const peer = `${node('service/plasmd.ts')} serve --artifacts ${artifacts}`
  const { stdout } = await promisify(execFile)(
    join(import.meta.dirname, '../support/two-networks.sh'),
    [peer, node('test/support/roll-on-program.ts')],
    { timeout: 60_000 },
  )
  const { checked, applied, record } = JSON.parse(stdout.trim().split('\n').at(-1)!)
  assert.deepEqual(checked.newest.providers, ['http://10.77.0.1:8080'])
  assert.deepEqual([checked.outcome, checked.found, checked.refused], ['newer', 1, []])
  assert.equal(applied.outcome, 'applied')
  assert.equal(record.set.manifestDigest, sha256Of(newer.manifest))
})
