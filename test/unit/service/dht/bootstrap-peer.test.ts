import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { decode, encode } from 'dns-packet'
import { bootstrapPeers, parseBootstrapPeer } from '../../../../service/dht/bootstrap-peer.ts'
import { dnsBy, resolveBootstrap } from '../../../../service/dht/resolve-bootstrap.ts'
import { makeNodeKey } from '../../../../service/node-key.ts'

const { peerId } = makeNodeKey()

test('a bootstrap peer is a multiaddr of TCP, a dnsaddr, or host and port', () => {
  const address = (host: string, port = 4001) => ({ kind: 'address', host, port })
  assert.deepEqual(parseBootstrapPeer('/ip4/192.0.2.1/tcp/4001'), address('192.0.2.1'))
  assert.deepEqual(parseBootstrapPeer(`/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`), { ...address('192.0.2.1'), peerId })
  assert.deepEqual(parseBootstrapPeer('/ip6/2001:db8::1/tcp/1'), address('2001:db8::1', 1))
  assert.deepEqual(parseBootstrapPeer('/dns4/origin.example/tcp/4001'), address('origin.example'))
  assert.deepEqual(parseBootstrapPeer('/dnsaddr/boot.example'), { kind: 'dnsaddr', host: 'boot.example' })
  assert.deepEqual(parseBootstrapPeer('192.0.2.1:4001'), address('192.0.2.1'))
  assert.deepEqual(parseBootstrapPeer('[2001:db8::1]:4001'), address('2001:db8::1'))
  assert.deepEqual(parseBootstrapPeer('origin:65535'), address('origin', 65535))
})

const WRONG = [
  '',
  'origin',
  'origin:0',
  'origin:65536',
  '1.2.3:4001',
  '999.0.0.1:4001',
  'http://origin:4001',
  '/ip4/192.0.2.1/udp/4001/quic-v1',
  '/ip4/192.0.2.1/tcp/4001/ws',
  '/ip4/2001:db8::1/tcp/4001',
  '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWnobody',
  '/dnsaddr/a b',
  '-host:4001',
  `${'a'.repeat(64)}.example:1`,
]
for (const text of WRONG) {
  test(`${JSON.stringify(text)} is no bootstrap peer`, () => {
    assert.equal(parseBootstrapPeer(text), undefined)
  })
}

test('a list of them is trimmed; a wrong one, or too many, is refused by name', () => {
  assert.deepEqual(bootstrapPeers('phase.bootstrap', [' a:1', '', 'b:2 ']), ['a:1', 'b:2'])
  assert.throws(() => bootstrapPeers('phase.bootstrap', ['a:1', 'nonsense']), {
    code: 'config-invalid',
    facts: { parameter: 'phase.bootstrap', value: 'nonsense' },
  })
  assert.throws(() => bootstrapPeers('phase.bootstrap', Array(33).fill('a:1')), { code: 'config-invalid' })
})

/** A DNS server on loopback that knows some TXT records. @returns what asks it */
async function dnsServer(t: TestContext, records: Readonly<Record<string, readonly string[]>>) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  const asked: string[] = []
  socket.on('message', (message, { port, address }) => {
    const { id = 0, questions = [] } = decode(message)
    const { name } = questions[0]!
    asked.push(name)
    const found = records[name]
    const answers = (found ?? []).map((data) => ({ type: 'TXT' as const, name, data }))
    const flags = found ? 0 : 3 // NXDOMAIN
    socket.send(encode({ type: 'response', id, flags, questions, answers }), port, address)
  })
  const resolver = new Resolver({ timeout: 1000, tries: 1 })
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return { dns: dnsBy(resolver), asked }
}

test('a dnsaddr is what its TXT records name, those of other dnsaddrs too, and nothing but TCP', async (t) => {
  const { dns } = await dnsServer(t, {
    '_dnsaddr.boot.example': [
      `dnsaddr=/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`,
      'dnsaddr=/ip4/192.0.2.2/udp/4001/quic-v1',
      'dnsaddr=/dnsaddr/more.example',
      'dnsaddr=/dnsaddr/gone.example',
      'v=spf1 -all',
    ],
    '_dnsaddr.more.example': ['dnsaddr=/ip6/2001:db8::1/tcp/4001'],
  })
  assert.deepEqual(await resolveBootstrap({ kind: 'dnsaddr', host: 'boot.example' }, dns), [
    { kind: 'address', host: '192.0.2.1', port: 4001, peerId },
    { kind: 'address', host: '2001:db8::1', port: 4001 },
  ])
})

test('dnsaddrs that name one another end', async (t) => {
  const { dns, asked } = await dnsServer(t, {
    '_dnsaddr.a.example': ['dnsaddr=/dnsaddr/b.example', 'dnsaddr=/dnsaddr/a.example'],
    '_dnsaddr.b.example': ['dnsaddr=/dnsaddr/a.example', 'dnsaddr=/dnsaddr/b.example'],
  })
  assert.deepEqual(await resolveBootstrap({ kind: 'dnsaddr', host: 'a.example' }, dns), [])
  assert.equal(asked.length, 1 + 2 + 4)
})

test('a name in DNS that does not answer is an error, and what is an address asks nobody', async (t) => {
  const { dns, asked } = await dnsServer(t, {})
  await assert.rejects(resolveBootstrap({ kind: 'dnsaddr', host: 'boot.example' }, dns), { code: 'ENOTFOUND' })
  const peer = { kind: 'address', host: '192.0.2.1', port: 4001 } as const
  assert.deepEqual(await resolveBootstrap(peer, dns), [peer])
  assert.equal(asked.length, 1)
  assert.deepEqual(
    await resolveBootstrap({ ...peer, host: 'localhost' }, dns).then((all) => all.map(({ port }) => port)),
    [4001],
  )
})
