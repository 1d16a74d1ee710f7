import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type BootMachine, makeMachine } from '../support/boot-machine.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { startProvider } from '../support/provider.ts'
import { startBoot } from '../support/start-boot.ts'
import { signSet, writePolicy } from '../support/trust.ts'
import { ada, eve, IMAGE_KEYS, SEEN, TRUST_CASES, type TrustCase } from '../support/trust-cases.ts'

/** A machine whose image has keys, and which has used a release before. */
async function machineFor(urls: string, given: Pick<TrustCase, 'policy' | 'state'> = {}): Promise<BootMachine> {
  const machine = await makeMachine(`phase.provider=${urls}`)
  const { trustFile, stateDirectory } = machine.parts
  await writePolicy(trustFile!, IMAGE_KEYS, given.policy)
  await mkdir(stateDirectory!)
  await writeFile(join(stateDirectory!, 'freshness.json'), given.state ?? SEEN)
  return machine
}

const state = ({ parts }: BootMachine) => readFile(join(parts.stateDirectory!, 'freshness.json'), 'utf8')

function failure(machine: BootMachine) {
  const event = machine.events.find(({ type }) => type === 'step-failed')
  assert.ok(event?.type === 'step-failed')
  return event
}

function rejected(machine: BootMachine): ReadonlyArray<{ url: string; reason: string | undefined }> {
  return machine.events.flatMap((event) =>
    event.type === 'candidate' && event.verdict === 'rejected' ? [{ url: event.url, reason: event.reason }] : [],
  )
}

async function carries(machine: BootMachine, { envelope, files }: TestSet): Promise<void> {
  const { initrd, kernel } = await machine.loaded()
  assert.ok(initrd.includes(envelope!), 'the envelope is carried as it was received')
  assert.deepEqual(kernel, files.vmlinuz)
}

for (const given of TRUST_CASES) {
  const { name, offered, clock, refused } = given
  test(`fetch stage: ${name} is ${refused?.code ?? 'accepted'}`, async (t) => {
    if (clock) t.mock.method(Date, 'now', () => Date.parse(clock))
    const provider = await startProvider(offered)
    const machine = await machineFor(provider.url, given)
    const boot = startBoot(t, machine, [provider])
    if (!refused) {
      await boot.event(({ type }) => type === 'kexec')
      await carries(machine, offered)
      return
    }
    const { code, field, hint } = refused
    await boot.event(({ type }) => type === 'step-failed')
    const { step, error } = failure(machine)
    assert.deepEqual([step, error.code, error.facts.field], ['verify', code, field], error.message)
    if (hint) assert.match(error.hint ?? '', hint)
    if (code !== 'freshness-state-invalid') {
      assert.ok(String(error.facts.from).startsWith(provider.url), 'the provider is named')
      assert.deepEqual(
        rejected(machine).map(({ url }) => url),
        [provider.url],
      )
    }
    assert.equal(provider.artifactBytes(), 0, 'nothing is fetched')
    assert.equal(await state(machine), given.state ?? SEEN, 'what is remembered stays')
  })
}

test('a release that was only fetched is not remembered: it may not come up', async (t) => {
  const provider = await startProvider(signSet(makeSet({ sequence: 9 }), ada))
  const machine = await machineFor(provider.url)
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'kexec')
  assert.equal(await state(machine), SEEN)
})

test('nothing on the kernel command line widens what the image trusts', async (t) => {
  const provider = await startProvider(makeSet({ sequence: 6 }))
  const widening = 'phase.allow_unsigned=true plasm.trust=/tmp plasm.threshold=0 allow_unsigned=true NODE_OPTIONS=-v'
  const machine = await machineFor(`${provider.url} ${widening}`)
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'step-failed')
  assert.equal(failure(machine).error.code, 'unsigned-refused')
})

test('who hands on the newest envelope and broken artifacts does not shut out an honest mirror', async (t) => {
  const older = signSet(makeSet({ sequence: 7 }), ada)
  const liar = await startProvider(signSet(makeSet({ sequence: 8 }), ada), {
    misbehave({ bytes, response }) {
      response.writeHead(200, { 'content-length': bytes.length }).end(Buffer.alloc(bytes.length))
      return true
    },
  })
  const honest = await startProvider(older)
  const machine = await machineFor(`${liar.url},${honest.url}`)
  await startBoot(t, machine, [liar, honest]).event(({ type }) => type === 'kexec')
  await carries(machine, older)
  // What comes after is the machine going on, since no kexec succeeds here.
  assert.deepEqual(machine.failures()[0], { step: 'fetch', code: 'chunk-digest-mismatch', provider: liar.url })
})

test('of an honest provider and a liar, the honest one is booted from and the liar is named', async (t) => {
  const set = makeSet({ sequence: 6 })
  const liar = await startProvider(signSet(set, eve), { status: { machine: 'liar', generation: 1 } })
  const honest = await startProvider(signSet(set, ada))
  const machine = await machineFor(`${liar.url},${honest.url}`)
  await startBoot(t, machine, [liar, honest]).event(({ type }) => type === 'kexec')
  const refused = rejected(machine).find(({ url }) => url === liar.url)
  assert.match(refused?.reason ?? '', /no trusted key made it.*\[signature-refused\]/)
  assert.equal(liar.artifactBytes(), 0)
})

test('a liar alone is not booted from, and the reason is told, by the exit code too', async (t) => {
  const liar = await startProvider(signSet(makeSet({ sequence: 6 }), eve))
  const machine = await machineFor(liar.url)
  assert.equal(await startBoot(t, machine, [liar]).ended, 65, 'its exit code says that what it found is wrong')
  const event = machine.events.find(({ type }) => type === 'not-ready')
  assert.ok(event?.type === 'not-ready' && /\[signature-refused\]$/.test(event.reason))
})

test('a stale mirror is skipped and said so, whatever it claims of itself', async (t) => {
  const newest = signSet(makeSet({ sequence: 8 }), ada)
  const stale = await startProvider(signSet(makeSet({ sequence: 7 }), ada), {
    status: { machine: 'old', generation: 3 },
  })
  const fresh = await startProvider(newest)
  const machine = await machineFor(`${stale.url},${fresh.url}`)
  await startBoot(t, machine, [stale, fresh]).event(({ type }) => type === 'kexec')
  await carries(machine, newest)
  const refused = rejected(machine).find(({ url }) => url === stale.url)
  assert.equal(refused?.reason, 'stale: sequence 7, 8 is there [manifest-stale]')
})

test('two signed releases under one sequence raise the alarm, and neither is booted', async (t) => {
  const [one, two] = [makeSet({ sequence: 8 }), makeSet({ sequence: 8 })]
  const first = await startProvider(signSet(one, ada))
  const second = await startProvider(signSet(two, ada))
  const machine = await machineFor(`${first.url},${second.url}`)
  await startBoot(t, machine, [first, second]).event(({ type }) => type === 'step-failed')
  const { step, error } = failure(machine)
  assert.deepEqual([step, error.code, error.facts.field], ['verify', 'manifest-equivocation', 'sequence'])
  assert.deepEqual(
    rejected(machine)
      .map(({ url }) => url)
      .sort(),
    [first.url, second.url].sort(),
  )
})

test('an unsigned set beside a signed one comes second, whatever sequence it claims', async (t) => {
  const set = signSet(makeSet({ sequence: 6 }), ada)
  const unsigned = await startProvider(makeSet({ sequence: 2 ** 50 }))
  const signed = await startProvider(set)
  const machine = await machineFor(`${unsigned.url},${signed.url}`, { policy: { allow_unsigned: 'true' } })
  await startBoot(t, machine, [unsigned, signed]).event(({ type }) => type === 'kexec')
  await carries(machine, set)
})

test('the kernel of one release with the rootfs of another is found while it is fetched', async (t) => {
  const [set, other] = [makeSet({ sequence: 6 }), makeSet({ sequence: 5 })]
  const signed = signSet(set, ada)
  const mixed = { ...signed, files: { ...set.files, 'rootfs.sqfs': other.files['rootfs.sqfs']! } }
  const provider = await startProvider(mixed)
  const machine = await machineFor(provider.url)
  await startBoot(t, machine, [provider]).event(({ type }) => type === 'step-failed')
  const { step, error, provider: blamed } = failure(machine)
  assert.deepEqual([step, error.code, blamed], ['fetch', 'chunk-digest-mismatch', provider.url])
  assert.equal(error.facts.artifact, 'rootfs')
  assert.equal(await state(machine), SEEN)
})

/** A provider whose envelope is a gibibyte long. */
async function flood(t: TestContext, announced: boolean) {
  const sent = { bytes: 0 }
  const server = createServer((_, response) => {
    response.writeHead(200, announced ? { 'content-length': 2 ** 30 } : {})
    const block = Buffer.alloc(64 * 1024, ' ')
    const more = () => {
      while (sent.bytes < 2 ** 30 && !response.destroyed) {
        sent.bytes += block.length
        if (!response.write(block)) return
      }
    }
    response.on('drain', more)
    more()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent }
}

for (const announced of [true, false]) {
  test(`an envelope of 1 GiB, ${announced ? 'announced' : 'not announced'}, is cut off early`, async (t) => {
    const provider = await flood(t, announced)
    const machine = await machineFor(provider.url)
    await startBoot(t, machine).event(({ type }) => type === 'step-failed')
    const { step, error } = failure(machine)
    assert.deepEqual([step, error.code], ['manifests', 'body-too-long'])
    assert.ok(String(error.facts.url).startsWith(provider.url))
    assert.ok(provider.sent.bytes < 32 * 1024 * 1024, `${provider.sent.bytes} bytes were sent`)
    assert.equal(await state(machine), SEEN)
  })
}
