import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressProblem, urlProblem } from '../../../service/address-problem.ts'

const own = new Set(['10.0.0.2', 'fe80::2%eth0'])
const addresses: ReadonlyArray<[address: string, port: number, usable: boolean]> = [
  ['10.0.0.1', 8080, true],
  ['169.254.3.4', 1, true],
  ['10.0.0.2', 8080, false],
  ['127.0.0.1', 8080, false],
  ['0.0.0.0', 8080, false],
  ['224.0.0.251', 8080, false],
  ['255.255.255.255', 8080, false],
  ['10.0.0.1', 0, false],
  ['10.0.0.1', 65536, false],
  ['fd00::1', 8080, true],
  ['fe80::1%eth0', 8080, true],
  ['fe80::1', 8080, false],
  ['fe80::2%eth0', 8080, false],
  ['::', 8080, false],
  ['::1', 8080, false],
  ['::ffff:10.0.0.1', 8080, false],
  ['ff02::fb', 8080, false],
  ['10.0.0.1\n', 8080, false],
]
for (const [address, port, usable] of addresses) {
  test(`${address}:${port} is ${usable ? '' : 'not '}usable`, () => {
    assert.equal(addressProblem(address, port, own) === undefined, usable)
  })
}

const urls: ReadonlyArray<[url: string, problem: string | undefined]> = [
  ['http://10.0.0.1:8080', undefined],
  ['http://[fd00::1]:8080', undefined],
  ['http://boot.example:8080', 'boot.example is a name, and no address'],
  ['http://127.0.0.1:8080', '127.0.0.1 is a loopback address'],
  ['http://[::ffff:10.0.0.1]:8080', '::ffff:a00:1 is no address of another machine'],
  ['http://10.0.0.2:8080', '10.0.0.2 is this machine itself'],
]
for (const [url, problem] of urls) {
  test(`${url}: ${problem ?? 'usable'}`, () => assert.equal(urlProblem(url, own), problem))
}
