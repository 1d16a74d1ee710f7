import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { discoveredLines } from '../../agent/discover-view.ts'
import { survey } from '../../agent/survey.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet } from '../support/boot-set.ts'
import { makeRoot } from '../support/plasmd.ts'
import { startPlasmd } from '../support/plasmd-process.ts'
import { startProvider } from '../support/provider.ts'
import { until } from '../support/serve-machine.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

test("everybody in reach is asked and judged: one to boot from, one that is old, one with a stranger's key", async (t) => {
  const key = makeKey()
  const newer = signSet(makeSet({ sequence: 7 }), key)
  const older = signSet(makeSet({ sequence: 6 }), key)
  const strange = signSet(makeSet({ sequence: 9 }), makeKey())
  const providers = await Promise.all([
    startProvider(newer, { status: { machine: 'plasm-newer', generation: 0 } }),
    startProvider(older, { status: { machine: 'plasm-older', generation: 2 } }),
    startProvider(strange, { status: { machine: 'plasm-rogue', generation: 5 } }),
  ])
  t.after(() => Promise.all(providers.map((provider) => provider.close())))
  const nobody = 'http://127.0.0.1:9'
  const machine = await makeMachine(`phase.provider=${[...providers.map(({ url }) => url), nobody].join(',')}`)
  t.after(machine.remove)
  const trustFile = join(machine.directory, 'trust/policy.toml')
  await writePolicy(trustFile, [key])
  const found = await survey({
    sources: machine.parts.sources!,
    trustFile,
    stateDirectory: machine.directory,
    lookMs: 400,
    addresses: () => new Set<string>(),
  })
  const by = new Map(found.providers.map((provider) => [provider.name, provider]))
  assert.equal(found.providers[0]!.name, 'plasm-newer')
  assert.equal(by.get('plasm-newer')!.verdict, 'first')
  assert.equal(by.get('plasm-newer')!.verified?.sequence, 7)
  assert.ok(by.get('plasm-newer')!.latencyMs! >= 0)
  assert.match(by.get('plasm-older')!.verdict, /^rejected: .*\[manifest-stale\]/)
  assert.match(by.get('plasm-rogue')!.verdict, /^rejected: .*\[signature-refused\]/)
  assert.equal(by.get('plasm-rogue')!.claims.generation, 5)
  const silent = found.providers.find(({ url }) => url === nobody)
  assert.equal(silent?.verdict, 'rejected: nothing has answered there')
  const text = discoveredLines(found, false).join('\n')
  assert.match(text, /^4 providers of stable\/\S+, 1 to boot from/)
  assert.match(text, /plasm-newer {2}by static/)
})

test('what is rejected at an address of this machine is this machine itself', async (t) => {
  const machine = await makeMachine('phase.provider=http://127.0.0.1:9,http://127.0.0.2:9')
  t.after(machine.remove)
  const trustFile = join(machine.directory, 'trust/policy.toml')
  await writePolicy(trustFile, [makeKey()])
  const { providers } = await survey({
    ...{ sources: machine.parts.sources!, trustFile, stateDirectory: machine.directory, lookMs: 400 },
    addresses: () => new Set(['127.0.0.1']),
  })
  assert.deepEqual(
    providers.map(({ url, self }) => [url, self]),
    [
      ['http://127.0.0.1:9', true],
      ['http://127.0.0.2:9', false],
    ],
  )
})

test('where the DHT could not be joined it says by whom, and why; local mode does not ask it', async (t) => {
  const look = async (cmdline: string) => {
    const machine = await makeMachine(cmdline)
    t.after(machine.remove)
    const trustFile = join(machine.directory, 'trust/policy.toml')
    await writePolicy(trustFile, [makeKey()])
    const { dht } = await survey({
      ...{ sources: machine.parts.sources!, trustFile, stateDirectory: machine.directory, lookMs: 400 },
      addresses: () => new Set(['127.0.0.1']),
    })
    return dht
  }
  assert.equal(await look('phase.bootstrap=127.0.0.1:9'), null)
  const other = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  const silent = await look(`phase.mode=internet phase.bootstrap=127.0.0.1:9,127.0.0.1:${port}`)
  assert.equal(silent?.joined, false)
  assert.match(silent.problems[0]!, /^127\.0\.0\.1:9: nobody listens there: .*ECONNREFUSED/)
  assert.match(silent.problems[1]!, /^127\.0\.0\.1:\d+: something listens there, and has not answered as a node/)
  const nobody = await look('phase.mode=internet')
  assert.match(nobody!.problems.join(), /^there is nobody to join it by/)
})

test('a DHT that is joined is said to be', async (t) => {
  const root = await makeRoot(t)
  const { log } = await startPlasmd(t, ['-a', root, '--no-mdns', '--dht-port', '0'])
  const node = await until('a node', async () => log().find(({ msg }) => msg === 'taking part in the DHT'))
  const machine = await makeMachine(`phase.mode=internet phase.bootstrap=127.0.0.1:${node.port}`)
  t.after(machine.remove)
  const trustFile = join(machine.directory, 'trust/policy.toml')
  await writePolicy(trustFile, [makeKey()])
  const { dht } = await survey({
    ...{ sources: machine.parts.sources!, trustFile, stateDirectory: machine.directory },
    addresses: () => new Set(['127.0.0.1']),
  })
  assert.deepEqual(dht, { joined: true, problems: [] })
})
