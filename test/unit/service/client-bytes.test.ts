import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClientBytes, isLoopback } from '../../../service/client-bytes.ts'

const kernel = { identity: '1:2' }
const initramfs = { identity: '1:3' }

test('bytes are counted by address and file', () => {
  const clients = createClientBytes()
  clients.sent('192.0.2.1', kernel, 10)
  clients.sent('::ffff:192.0.2.1', kernel, 5)
  clients.sent('192.0.2.1', initramfs, 1)
  clients.sent('192.0.2.2', kernel, 7)
  assert.deepEqual([clients.of('192.0.2.1', kernel), clients.of('192.0.2.2', initramfs)], [15, 0])
  assert.deepEqual(
    clients.list().map(({ address, bytes }) => [address, bytes]),
    [
      ['192.0.2.1', 16],
      ['192.0.2.2', 7],
    ],
  )
})

test('who has been silent longest is forgotten first, so memory is bounded', () => {
  const clients = createClientBytes(2)
  for (const address of ['a', 'b', 'a', 'c']) clients.sent(address, kernel, 1)
  assert.deepEqual(
    clients.list().map(({ address }) => address),
    ['a', 'c'],
  )
  for (let file = 0; file < 100; file += 1) clients.sent('a', { identity: String(file) }, 1)
  assert.equal(clients.of('a', { identity: '99' }), 1)
  assert.equal(clients.of('a', { identity: '0' }), 0)
})

test('loopback addresses', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(address), address)
  for (const address of ['', '192.0.2.1', '::ffff:192.0.2.1', '::', '1270.0.0.1', 'fe80::1']) {
    assert.ok(!isLoopback(address), address)
  }
})
