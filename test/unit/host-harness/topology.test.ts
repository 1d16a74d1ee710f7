import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { bystanderPlace, guestPlace, ORIGIN } from '../../../host-harness/addresses.ts'
import { dhcpArguments } from '../../../host-harness/dhcp.ts'
import { discoveryWords } from '../../../host-harness/discovery-words.ts'
import { allowedProviders, inReach, type LiveProvider } from '../../../host-harness/generation.ts'
import { originArguments } from '../../../host-harness/origin.ts'
import { DISCOVERIES, discoveryProblem, NETWORKS } from '../../../host-harness/topology.ts'

test('every network goes with every way of discovery, but mDNS crosses no router', () => {
  const refused = NETWORKS.flatMap((network) =>
    DISCOVERIES.filter((discovery) => discoveryProblem(network, discovery) !== undefined).map(
      (discovery) => `${network} ${discovery}`,
    ),
  )
  assert.deepEqual(refused, ['routed mdns'])
})

test('in a routed network no two share a segment, and each has the harness as its gateway', () => {
  const guests = Array.from({ length: 99 }, (_, index) => guestPlace(index + 1, true))
  const all = [ORIGIN, bystanderPlace('rogue', 1, true), ...guests]
  const segments = all.map(({ address }) => address.replace(/\.\d+$/, ''))
  assert.equal(new Set(segments).size, all.length)
  for (const [index, { address, gateway }] of all.entries()) {
    assert.equal(gateway, `${segments[index]}.1`)
    assert.notEqual(address, gateway)
    assert.ok(address.split('.').every((octet) => Number(octet) < 255))
  }
})

const NEIGHBOURS = [ORIGIN, guestPlace(1)]

test('what a machine is told of its neighbours depends on how it is to find them', () => {
  assert.deepEqual(discoveryWords('mdns', NEIGHBOURS), ['phase.mode=local'])
  assert.deepEqual(discoveryWords('static', NEIGHBOURS), [
    'phase.mode=local',
    'phase.provider=http://192.168.77.2:8080,http://192.168.77.11:8080',
  ])
  const dht = ['phase.mode=internet', 'phase.bootstrap=/ip4/192.168.77.2/tcp/4001,/ip4/192.168.77.11/tcp/4001']
  assert.deepEqual(discoveryWords('dht', NEIGHBOURS), dht)
  assert.deepEqual(discoveryWords('auto', NEIGHBOURS), dht)
  assert.deepEqual(discoveryWords('dht', []), ['phase.mode=internet'])
})

test('the names of twenty neighbours leave room on the command line', () => {
  const guests = Array.from({ length: 20 }, (_, index) => guestPlace(index + 1, true))
  for (const discovery of ['dht', 'static'] as const) {
    assert.ok(discoveryWords(discovery, [ORIGIN, ...guests]).join(' ').length < 700)
  }
})

test('the origin takes part in the DHT where the machines do', () => {
  const spec = { publishedDir: '/set', channel: 'stable', arch: 'x86_64' } as const
  const words = (discovery: (typeof DISCOVERIES)[number]) =>
    originArguments({ ...spec, discovery }, ORIGIN.address, '/key').join(' ')
  assert.match(words('mdns'), / --no-dht$/)
  assert.match(words('static'), / --no-dht$/)
  assert.match(words('dht'), / --dht-port 4001$/)
  assert.match(words('auto'), / --dht-port 4001$/)
})

const live = (participant: LiveProvider['participant'], generation: number): LiveProvider => ({
  ...{ participant, generation, ancestry: [], receipts: true, stop: async () => {} },
})
const PROVIDERS = [live(ORIGIN, 0), live(guestPlace(1), 1), live(guestPlace(2), 2)]
const names = (providers: readonly LiveProvider[]) => providers.map(({ participant }) => participant.name)

test('who may be booted from is in reach, and booted wherever anybody is', () => {
  const third = guestPlace(3)
  for (const network of NETWORKS) {
    const all = { network, providers: 'all' } as const
    assert.deepEqual(allowedProviders(all, guestPlace(1), PROVIDERS.slice(0, 1)), ['origin'], network)
    assert.deepEqual(allowedProviders(all, guestPlace(2), PROVIDERS.slice(0, 2)), ['vm1'], network)
    assert.deepEqual(allowedProviders(all, third, PROVIDERS), ['vm1', 'vm2'], network)
    assert.deepEqual(allowedProviders({ network, providers: 'last' }, third, PROVIDERS.slice(2)), ['vm2'], network)
  }
})

test('an isolated origin is out of reach of all but the first', () => {
  assert.deepEqual(names(inReach('isolated-origin', guestPlace(1), PROVIDERS.slice(0, 1))), ['origin'])
  assert.deepEqual(names(inReach('isolated-origin', guestPlace(3), PROVIDERS)), ['vm1', 'vm2'])
  assert.deepEqual(names(inReach('routed', guestPlace(3, true), PROVIDERS)), ['origin', 'vm1', 'vm2'])
  assert.deepEqual(
    allowedProviders({ network: 'isolated-origin', providers: 'all' }, guestPlace(2), [live(ORIGIN, 0)]),
    [],
  )
})

test('DHCP has a range and a router for each segment, one lease for each guest', () => {
  const routed = dhcpArguments([guestPlace(1, true), guestPlace(2, true)], ['tap1', 'tap2'], '/leases')
  for (const word of [
    ...['--interface=tap1', '--interface=tap2'],
    '--dhcp-range=set:segment101,192.168.101.0,static,255.255.255.0,1h',
    '--dhcp-option=tag:segment102,option:router,192.168.102.1',
    '--dhcp-host=52:54:00:77:00:02,192.168.102.10,vm2',
  ]) {
    assert.ok(routed.includes(word), word)
  }
  const lan = dhcpArguments([guestPlace(1), guestPlace(2)], ['br0'], '/leases')
  assert.equal(lan.filter((word) => word.startsWith('--dhcp-range')).length, 1)
})

test('the harness knows the port of the DHT without loading any of libp2p', () => {
  const program = `
    import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) })
    await import(${JSON.stringify(new URL('../../../host-harness/chain.ts', import.meta.url).href)})`
  const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).split(
    '\n',
  )
  assert.ok(loaded.some((url) => url.endsWith('/service/dht/bootstrap-peer.ts')))
  assert.deepEqual(
    loaded.filter((url) => /libp2p|multiaddr/.test(url)),
    [],
  )
})
