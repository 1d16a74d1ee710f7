import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { isOnLink, isOnOwnLink, linksIn } from '../../../service/own-links.ts'
import { bestAddress, placeOf } from '../../../service/provider-place.ts'

const info = (cidr: string, internal = false): NetworkInterfaceInfo => {
  const address = cidr.split('/')[0]!
  const common = { address, netmask: '', mac: '', internal, cidr }
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' }
}
const links = linksIn({
  lo: [info('127.0.0.1/8', true), info('::1/128', true)],
  eth0: [info('10.1.2.3/22'), info('fd00:1::3/64'), info('fe80::3/64')],
  eth1: [info('fe80::4/64')],
})

test('links: loopback left out, link-local addresses with their scope', () => {
  assert.deepEqual(
    links.map(({ name, ipv4, ipv6, linkLocal }) => [name, ipv4, ipv6, linkLocal]),
    [
      ['eth0', ['10.1.2.3'], ['fd00:1::3'], ['fe80::3%eth0']],
      ['eth1', [], [], ['fe80::4%eth1']],
    ],
  )
})

const onEth0: ReadonlyArray<[address: string, is: boolean]> = [
  ['10.1.3.255', true],
  ['10.1.4.0', false],
  ['fd00:1::ffff', true],
  ['fd00:2::1', false],
  ['fe80::9%eth0', true],
  ['fe80::9%eth1', false],
  ['fe80::9', false],
  ['nonsense', false],
]
for (const [address, is] of onEth0) {
  test(`${address} is ${is ? '' : 'not '}on eth0`, () => assert.equal(isOnLink(links[0]!, address), is))
}

test('of a host with many addresses IPv4 is taken, then the sender, link-local IPv6 last', () => {
  const all = ['fe80::1%eth0', 'fd00::1', '127.0.0.1', '10.0.0.2', '10.0.0.1']
  assert.equal(bestAddress(all, 'fe80::1%eth0'), '10.0.0.2')
  assert.equal(bestAddress(all, '10.0.0.1'), '10.0.0.1')
  assert.equal(bestAddress(all.slice(0, 3), 'fe80::1%eth0'), 'fd00::1')
  assert.equal(bestAddress([], '10.0.0.1'), undefined)
})

test('the URL of an address that no URL can hold has the name of its host', () => {
  assert.deepEqual(placeOf('a.local', 80, '10.0.0.1'), { url: 'http://10.0.0.1:80' })
  assert.deepEqual(placeOf('a.local', 80, 'fd00::1'), { url: 'http://[fd00::1]:80' })
  assert.deepEqual(placeOf('plasm-770001.local', 8080, 'fe80::1%eth0'), {
    url: 'http://plasm-770001.local:8080',
    reach: 'fe80::1%eth0',
  })
  const rogue = placeOf('a"@evil.example/\n.local', 8080, 'fe80::1%eth0')
  assert.equal(rogue.url, 'http://a-evil.local:8080', 'whatever it calls itself')
})

const INTERFACES = {
  lo: [info('127.0.0.1/8', true), info('::1/128', true)],
  eth0: [info('192.168.77.11/24'), info('fe80::5054:ff:fe77:1/64'), info('fd00:77::b/64')],
}

test('an address is on the link where one of the interfaces has its subnet', () => {
  const table: ReadonlyArray<readonly [string, boolean]> = [
    ['192.168.77.2', true],
    ['192.168.78.2', false],
    ['127.0.0.1', false],
    ['169.254.3.4', true],
    ['fe80::1%eth0', true],
    ['fd00:77::1', true],
    ['fd00:78::1', false],
    ['2001:db8::1', false],
  ]
  for (const [address, expected] of table) assert.equal(isOnOwnLink(address, INTERFACES), expected, address)
  assert.equal(isOnOwnLink('192.168.77.2', {}), false)
  assert.equal(isOnOwnLink('plasm-770001.local', INTERFACES), false, 'a name is on no link')
})
