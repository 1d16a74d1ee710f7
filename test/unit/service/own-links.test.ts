import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { isOnOwnLink } from '../../../service/own-links.ts'

const interfaceWith = (cidr: string, internal = false) => ({ cidr, internal }) as NetworkInterfaceInfo
const INTERFACES = {
  lo: [interfaceWith('127.0.0.1/8', true), interfaceWith('::1/128', true)],
  eth0: [interfaceWith('192.168.77.11/24'), interfaceWith('fe80::5054:ff:fe77:1/64'), interfaceWith('fd00:77::b/64')],
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
})
