import assert from 'node:assert/strict'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { test } from 'node:test'
import { hostLabel, uniqueHostLabel } from '../../../service/host-label.ts'

test('makes a valid host name label of anything', () => {
  const cases = { 'Plasm-00AA11': 'plasm-00aa11', 'my_host (2)': 'my-host-2', '-a-': 'a', ü: 'host', '': 'host' }
  for (const [text, label] of Object.entries(cases)) assert.equal(hostLabel(text), label)
  assert.equal(hostLabel('x'.repeat(80)).length, 63)
  assert.equal(hostLabel(`${'x'.repeat(62)}--y`), 'x'.repeat(62))
})

test('two advertisements of one machine have different host names, the same every time', () => {
  assert.equal(uniqueHostLabel('8080', 'stable', 'arm64'), uniqueHostLabel('8080', 'stable', 'arm64'))
  assert.notEqual(uniqueHostLabel('8080', 'stable', 'arm64'), uniqueHostLabel('8081', 'stable', 'arm64'))
  assert.match(uniqueHostLabel('8080'), /^[a-z0-9-]{1,54}-[0-9a-f]{8}$/)
})

test('a host name stays while interfaces come and go', (t) => {
  const before = uniqueHostLabel('8080')
  t.mock.method(os, 'networkInterfaces', () => ({}))
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  assert.deepEqual(os.networkInterfaces(), {})
  assert.equal(uniqueHostLabel('8080'), before)
})
