import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Candidate, RejectedCandidate } from '../../agent/candidate.ts'
import { DHT_AT_ONCE, dhtProviders } from '../../agent/source-dht.ts'
import type { BootstrapPeer } from '../../service/dht/bootstrap-peer.ts'
import { recordKey } from '../../service/dht/keys.ts'
import { advertiseByDht, openDhtClient } from '../../service/dht/libp2p.ts'
import { createDhtNode } from '../../service/dht/node.ts'
import type { ProviderDocument } from '../../service/dht/provider-document.ts'
import { makeValueRecord } from '../../service/dht/value-record.ts'
import { makeNodeKey } from '../../service/node-key.ts'
import { until } from '../support/serve-machine.ts'

/** All on loopback, where nothing else has an address. */
const HOST = '127.0.0.1'
const at = (port: number): BootstrapPeer => ({ kind: 'address', host: HOST, port })
const QUICK = { refreshMs: 400, lookMs: 50 }

const document = (changes: Partial<ProviderDocument> = {}): ProviderDocument => ({
  urls: ['http://192.0.2.7:8080'],
  channel: 'stable',
  arch: 'arm64',
  sequence: 3,
  ...changes,
})

interface Given {
  readonly port?: number
  readonly bootstrap?: readonly BootstrapPeer[]
  readonly provided?: () => readonly ProviderDocument[]
}

/** A provider in the DHT; stopped after the test. @returns once it is up */
async function provider(t: TestContext, { port = 0, bootstrap = [], provided = () => [document()] }: Given = {}) {
  const key = makeNodeKey()
  const warned: Array<Readonly<Record<string, unknown>>> = []
  const advertised = advertiseByDht({
    key,
    listen: { host: HOST, port },
    bootstrap,
    provided: async () => provided(),
    load: async () => 2,
    log: { info() {}, warn: (facts) => void warned.push(facts) },
    timing: QUICK,
  })
  t.after(() => advertised.stop())
  return { key, warned, advertised, up: () => until('a node that listens', async () => advertised.port() ?? undefined) }
}

/** A node that others put records to, and a client that asks it. */
async function network(t: TestContext) {
  const stop = new AbortController()
  const keeper = await createDhtNode({
    key: makeNodeKey(),
    listen: { host: HOST, port: 0 },
    bootstrap: [],
    signal: stop.signal,
  })
  const client = await openDhtClient([at(keeper.port!)], stop.signal)
  t.after(async () => {
    stop.abort()
    await Promise.all([client.stop(), keeper.stop()])
  })
  await until('a client that has joined', async () => client.joined())
  const values = async (key: Uint8Array) =>
    (await Array.fromAsync(client.values(key))).map((value) => JSON.parse(Buffer.from(value).toString()))
  const peers = async (key: Uint8Array) => (await Array.fromAsync(client.providers(key))).map(({ peerId }) => peerId)
  return { keeper, client, values, peers }
}

for (const [arch, other] of [
  ['arm64', 'aarch64'],
  ['x86_64', 'amd64'],
] as const) {
  test(`a provider of ${arch} is found as ${other}, too, as a value and as a provider, by an address on loopback`, async (t) => {
    const { keeper, values, peers, client } = await network(t)
    const { key } = await provider(t, { bootstrap: [at(keeper.port!)], provided: () => [document({ arch })] })
    for (const archName of [arch, other]) {
      const bytes = recordKey('stable', archName)
      assert.equal(Buffer.from(bytes).toString(), `/phase/stable/${archName}/manifest`)
      const [value] = await until(`a value for ${archName}`, async () => {
        const found = await values(bytes)
        return found.length > 0 && found
      })
      const { created_at, ...rest } = value
      assert.ok(Math.abs(Date.parse(created_at) - Date.now()) < 30_000)
      assert.deepEqual(rest, {
        channel: 'stable',
        arch: archName,
        manifest_url: `http://192.0.2.7:8080/stable/${archName}/manifest.json`,
        http_addr: '192.0.2.7:8080',
        manifest_version: 1,
        ttl_secs: 3600,
      })
      await until(`a provider for ${archName}`, async () => (await peers(bytes)).includes(key.peerId))
      const [peer] = await Array.fromAsync(client.providers(bytes))
      const { document: said, host } = await peer!.ask()
      assert.deepEqual([said.sequence, said.load, host], [3, 2, HOST])
    }
    assert.deepEqual(await values(recordKey('testing', arch)), [], 'nobody provides that')
  })
}

test('who puts a value under one name of an arch only is found by it, whatever the other one is', async (t) => {
  const { keeper } = await network(t)
  const put = async (archName: string, port: number) => {
    const value = makeValueRecord({ channel: 'stable', archName, url: `http://${HOST}:${port}` })
    for await (const _ of keeper.libp2p.services.dht.put(recordKey('stable', archName), value));
  }
  await put('amd64', 1)
  await put('aarch64', 2)
  for (const [arch, port] of [
    ['x86_64', 1],
    ['arm64', 2],
  ] as const) {
    const stop = new AbortController()
    const where = { channel: 'stable', arch, bootstrap: [`${HOST}:${keeper.port}`] }
    const { look } = dhtProviders(where, () => new Set(['192.0.2.9']), DHT_AT_ONCE)
    const told: (Candidate | RejectedCandidate)[] = []
    const looking = look((found) => told.push(found), stop.signal)
    const { url, ...rest } = await until(`a value for ${arch}`, async () => told[0], 5_000).finally(() => stop.abort())
    await looking
    // A place on loopback is none for others: it is found, and nobody connects to it.
    assert.deepEqual(
      ['reason' in rest && rest.reason, url],
      [`${HOST} is a loopback address`, `http://${HOST}:${port}`],
    )
  }
})

test('records are put again and again, until what is provided is withdrawn; then whom a record still leads there is told', async (t) => {
  const { keeper, values, peers, client } = await network(t)
  let provided: readonly ProviderDocument[] = [document()]
  const { key } = await provider(t, { bootstrap: [at(keeper.port!)], provided: () => provided })
  const bytes = recordKey('stable', 'aarch64')
  const madeAt = async () => Math.max(...(await values(bytes)).map(({ created_at }) => Date.parse(created_at)))
  const first = await until('a value', async () => {
    const time = await madeAt()
    return Number.isFinite(time) && time
  })
  await until('a second one', async () => (await madeAt()) > first)
  await until('a provider', async () => (await peers(bytes)).includes(key.peerId))
  provided = []
  // An answer may be a second old.
  await sleep(2 * QUICK.lookMs + 1_200)
  const last = await madeAt()
  await sleep(3 * QUICK.refreshMs)
  assert.equal(await madeAt(), last, 'the record is not put again')
  const [peer] = await Array.fromAsync(client.providers(bytes))
  await assert.rejects(peer!.ask(), /it says that it provides nothing of this kind/)
})

test('a provider whose bootstrap node comes up only later is found then', async (t) => {
  const { port } = await createFree()
  const { key } = await provider(t, { bootstrap: [at(port)] })
  await sleep(1_000)
  const stop = new AbortController()
  const late = await createDhtNode({
    key: makeNodeKey(),
    listen: { host: HOST, port },
    bootstrap: [],
    signal: stop.signal,
  })
  const client = await openDhtClient([at(port)], stop.signal)
  t.after(async () => {
    stop.abort()
    await Promise.all([client.stop(), late.stop()])
  })
  await until('the provider', async () =>
    (await Array.fromAsync(client.providers(recordKey('stable', 'arm64')))).some(({ peerId }) => peerId === key.peerId),
  )
})

test('a node that does not answer pings, as one of rust-libp2p may be, is one to join by all the same', async (t) => {
  const stop = new AbortController()
  const silent = await createDhtNode({
    key: makeNodeKey(),
    listen: { host: HOST, port: 0 },
    bootstrap: [],
    signal: stop.signal,
  })
  await silent.libp2p.unhandle('/ipfs/ping/1.0.0')
  const { key } = await provider(t, { bootstrap: [at(silent.port!)] })
  const client = await openDhtClient([at(silent.port!)], stop.signal)
  t.after(async () => {
    stop.abort()
    await Promise.all([client.stop(), silent.stop()])
  })
  await until('the provider', async () =>
    (await Array.fromAsync(client.providers(recordKey('stable', 'arm64')))).some(({ peerId }) => peerId === key.peerId),
  )
})

test('a port that is taken is told, and taken once it is free; a node that stops gives its port back', async (t) => {
  const first = await provider(t)
  const port = await first.up()
  const second = await provider(t, { port })
  await until('a warning', async () => second.warned.length > 0)
  assert.equal(second.warned[0]!.code, 'dht-cannot-listen')
  assert.match(String(second.warned[0]!.hint), /--dht-port/)
  await first.advertised.stop()
  assert.equal(await second.up(), port)
  await second.advertised.stop()
  await assert.rejects(
    new Promise((resolve, reject) => connect({ host: HOST, port }).once('connect', resolve).once('error', reject)),
    { code: 'ECONNREFUSED' },
  )
})

test('a node that listens on :: is joined by IPv4 and by IPv6', {
  skip: !existsSync('/proc/net/if_inet6') && 'no IPv6 here',
}, async (t) => {
  const { port } = await createFree()
  const stop = new AbortController()
  const node = await createDhtNode({
    key: makeNodeKey(),
    listen: { host: '::', port },
    bootstrap: [],
    signal: stop.signal,
  })
  assert.equal(node.port, port)
  const clients = await Promise.all(
    ['127.0.0.1', '::1'].map((host) => openDhtClient([{ kind: 'address', host, port }], stop.signal)),
  )
  t.after(async () => {
    stop.abort()
    await Promise.all([...clients, node].map((one) => one.stop()))
  })
  for (const client of clients) await until('a client that has joined', async () => client.joined())
})

async function createFree(): Promise<{ port: number }> {
  const stop = new AbortController()
  const node = await createDhtNode({
    key: makeNodeKey(),
    listen: { host: HOST, port: 0 },
    bootstrap: [],
    signal: stop.signal,
  })
  const port = node.port!
  await node.stop()
  return { port }
}
