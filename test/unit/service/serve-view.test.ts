import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordLines, servingLines } from '../../../service/serve-view.ts'

const OWN = new Set(['192.0.2.7', '2001:db8::7', 'fe80::7%eth0'])
const SET = { channel: 'stable', arch: 'arm64', version: '1.2', sequence: 7, manifest_digest: null } as const
const lines = (bind: string, own: ReadonlySet<string> = OWN) =>
  servingLines({ artifacts: '/srv/site', bind, port: 8080, sets: [SET], own })

test('who serves on any address is told those by which others reach it', () => {
  assert.deepEqual(lines('0.0.0.0'), [
    'plasmd serves /srv/site at',
    '  http://192.0.2.7:8080',
    '  stable/arm64: version 1.2, sequence 7',
    'Ctrl-C stops it',
  ])
  assert.deepEqual(lines('::').slice(1, 3), ['  http://192.0.2.7:8080', '  http://[2001:db8::7]:8080'])
})

test('where nobody else reaches it that is said', () => {
  assert.match(lines('127.0.0.1')[1]!, /127\.0\.0\.1:8080 on this machine alone/)
  assert.match(lines('0.0.0.0', new Set())[1]!, /on this machine alone: it has no other address yet/)
})

test('a record of the log is a line, and its hint another; no control character passes', () => {
  const record = (fields: object) =>
    recordLines(JSON.stringify({ level: 30, time: 1, pid: 2, hostname: 'h', ...fields }))
  assert.deepEqual(record({ msg: 'serving', url: 'http://127.0.0.1:1' }), [])
  assert.deepEqual(record({ level: 40, msg: 'none', hint: 'do it', name: 'a\x1bb', n: 3 }), [
    'warning: none (name a\\x1bb, n 3)',
    '  do it',
  ])
  assert.deepEqual(record({ level: 50, msg: 'failed', err: { message: 'EIO' } }), ['warning: failed (EIO)'])
})
