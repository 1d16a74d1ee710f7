import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PUBLISH_TIMING } from '../../../../service/dht/publish.ts'
import { makeValueRecord, RECORD_TTL_SECONDS } from '../../../../service/dht/value-record.ts'

test('a record lives an hour, says so, and is put again when half of that is over (INTEROP: discovery)', () => {
  const record = makeValueRecord({ channel: 'stable', archName: 'amd64', url: 'http://192.0.2.1:8080' })
  assert.equal(JSON.parse(record.toString()).ttl_secs, 3600)
  assert.equal(RECORD_TTL_SECONDS, 3600)
  assert.equal(PUBLISH_TIMING.refreshMs, 1800_000)
  assert.ok(PUBLISH_TIMING.lookMs * 10 < PUBLISH_TIMING.refreshMs, 'what is due is seen soon')
})
