import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { settledAt } from '../../../agent/candidate.ts'
import { judgeInstance } from '../../../agent/judge-instance.ts'
import { linksIn } from '../../../service/own-links.ts'

const own = new Set(['10.0.0.2', 'fe80::2%eth0'])

const settling: ReadonlyArray<
  [name: string, found: { at: number; generation: number | null }[], expected: number | undefined]
> = [
  ['nobody', [], undefined],
  ['an origin', [{ at: 100, generation: 0 }], 700],
  ['one that does not say', [{ at: 100, generation: null }], 700],
  ['a booted machine', [{ at: 100, generation: 1 }], 350],
  [
    'an origin, then a booted machine',
    [
      { at: 100, generation: 0 },
      { at: 200, generation: 2 },
    ],
    450,
  ],
  [
    'a booted machine that comes late',
    [
      { at: 100, generation: 0 },
      { at: 600, generation: 2 },
    ],
    700,
  ],
]
for (const [name, found, expected] of settling) {
  test(`settles after ${name}`, () => assert.equal(settledAt(found), expected))
}

test('takes the address that the answer came from, and the first that is usable otherwise', () => {
  const instance = {
    label: 'plasmd-a',
    target: 'a.local',
    port: 8080,
    addresses: ['127.0.0.1', '10.9.9.9', '10.0.0.1'],
    sender: '10.0.0.1',
    txt: new Map([['generation', '-1']]),
  }
  const wanted = { channel: 'stable', arch: 'x86_64', mode: 'internet' } as const
  assert.deepEqual(judgeInstance(instance, wanted, own, []), {
    url: 'http://10.0.0.1:8080',
    source: 'mdns',
    name: 'plasmd-a',
    generation: null,
    onLink: false,
    also: ['10.9.9.9'],
  })
  assert.equal(judgeInstance({ ...instance, sender: '10.5.5.5' }, wanted, own, []).url, 'http://10.9.9.9:8080')
})

const WANTED = { channel: 'stable', arch: 'x86_64', mode: 'internet' } as const
const heard = (txt: Record<string, string>, label = 'plasmd-a', address = '10.0.0.1') => ({
  label,
  target: 'a.local',
  port: 8080,
  addresses: [address],
  sender: address,
  txt: new Map(Object.entries(txt)),
})

test('the DHT is joined by a neighbour of another channel, but not where a neighbour cannot be', () => {
  const dhtPort = (txt: Record<string, string>, address?: string) =>
    judgeInstance(heard({ dht_port: '4001', ...txt }, 'plasmd-a', address), WANTED, own, []).dhtPort
  assert.equal(dhtPort({}), 4001)
  assert.equal(dhtPort({ channel: 'beta' }), 4001)
  assert.equal(dhtPort({ arch: 'arm64' }), 4001)
  assert.equal(dhtPort({}, '127.0.0.1'), undefined)
  assert.equal(dhtPort({}, '10.0.0.2'), undefined)
  assert.equal(dhtPort({}, '224.0.0.1'), undefined)
})

test('what is advertised is a claim of a known form, or no claim', () => {
  const peerId = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
  const said = { version: '1.2.3', load: '3', set: '0123456789ab', peer_id: peerId, dht_port: '4001', sequence: '7' }
  const { version, load, set, peerId: claimed, dhtPort, sequence } = judgeInstance(heard(said), WANTED, own, [])
  assert.deepEqual([version, load, set, claimed, dhtPort, sequence], ['1.2.3', 3, '0123456789ab', peerId, 4001, 7])
  const nonsense = { version: 'a\nb', load: '-1', set: 'xyz', peer_id: 'me', dht_port: '70000', sequence: '1e9' }
  assert.deepEqual(Object.keys(judgeInstance(heard(nonsense), WANTED, own, [])).sort(), [
    'generation',
    'name',
    'onLink',
    'source',
    'url',
  ])
})

const rejections: ReadonlyArray<[what: string, ReturnType<typeof heard>, reason: RegExp]> = [
  ['a name of two lines', heard({}, 'plasmd\na'), /control characters/],
  ['a machine that colours the terminal', heard({ machine: '\u001b[31mred' }), /control characters/],
  [
    'a channel of two lines',
    heard({ channel: 'a\nplasm: ready' }),
    /^it serves channel a\\x0aplasm: ready, not stable$/,
  ],
  ['an endless channel', heard({ channel: 'a'.repeat(9000) }), /^it serves channel a{64}, not stable$/],
  ['loopback', heard({}, 'plasmd-a', '127.0.0.1'), /loopback/],
  ['port 0', { ...heard({}), port: 0 }, /port 0 is not a port/],
  ['this machine', heard({}, 'plasmd-a', '10.0.0.2'), /this machine itself/],
]
for (const [what, instance, reason] of rejections) {
  test(`${what} is rejected, in words that are safe to print`, () => {
    const judged = judgeInstance(instance, WANTED, own, [])
    assert.match('reason' in judged ? judged.reason : '', reason)
    assert.match(`${judged.url}${judged.name}${'reason' in judged && judged.reason}`, /^[\x20-\x7e]+$/)
  })
}

test('an IPv6 link-local address is reached by its link', () => {
  const { url, reach, onLink } = judgeInstance(heard({}, 'plasmd-a', 'fe80::1%eth0'), WANTED, own, [])
  assert.deepEqual([url, reach, onLink], ['http://a.local:8080', 'fe80::1%eth0', false])
})

test('a provider with many addresses is reached by a family that this machine has too', () => {
  const addresses = ['10.0.0.1', 'fd00::1', 'fe80::1%eth0']
  const both = { ...heard({}), addresses, sender: 'fe80::1%eth0' }
  const from = (...ours: string[]) => judgeInstance(both, WANTED, new Set(ours), []).url
  assert.equal(from('fe80::2%eth0'), 'http://a.local:8080')
  assert.equal(from('fd00::2', 'fe80::2%eth0'), 'http://[fd00::1]:8080')
  assert.equal(from('10.0.0.2', 'fd00::2', 'fe80::2%eth0'), 'http://10.0.0.1:8080')
})

test('other addresses of a provider are told, best first, as far as they are on a link of this machine', () => {
  const info = (address: string, family: 'IPv4' | 'IPv6', prefix: number) =>
    ({ address, family, cidr: `${address}/${prefix}`, internal: false }) as NetworkInterfaceInfo
  const links = linksIn({ eth0: [info('10.0.0.2', 'IPv4', 24), info('fe80::2', 'IPv6', 64)] })
  const local = { ...WANTED, mode: 'local' } as const
  const addresses = ['fe80::1%eth0', '192.0.2.1', '127.0.0.1', '10.0.0.1', '10.0.0.3']
  const { url, also } = judgeInstance({ ...heard({}), addresses }, local, own, links)
  assert.deepEqual([url, also], ['http://10.0.0.1:8080', ['10.0.0.3', 'fe80::1%eth0']])
  const many = Array.from({ length: 16 }, (_, index) => `10.0.0.${100 + index}`)
  assert.equal(judgeInstance({ ...heard({}), addresses: many }, local, own, links).also?.length, 3)
})

test('in mode local a neighbour cannot send this machine beyond its link, and of its addresses the one on the link counts', () => {
  const info = { address: '10.0.0.2', family: 'IPv4', cidr: '10.0.0.2/24', internal: false } as NetworkInterfaceInfo
  const links = linksIn({ eth0: [info] })
  const local = { ...WANTED, mode: 'local' } as const
  const beyond = { ...heard({}, 'plasmd-a', '192.0.2.1'), sender: '10.0.0.66' }
  const judged = judgeInstance(beyond, local, own, links)
  assert.match('reason' in judged ? judged.reason : '', /on no link of this machine/)
  assert.ok(!('reason' in judgeInstance(beyond, WANTED, own, links)))
  const both = { ...beyond, addresses: ['192.0.2.1', '10.0.0.1'] }
  assert.deepEqual(judgeInstance(both, local, own, links), {
    ...judgeInstance(heard({}), WANTED, own, links),
    onLink: true,
  })
})
