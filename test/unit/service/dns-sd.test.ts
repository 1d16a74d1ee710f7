import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer } from 'dns-packet'
import { encodeQuery } from '../../../service/dns-query.ts'
import { createInstanceTable, parseTxt, SERVICE } from '../../../service/dns-sd.ts'

const name = `plasmd-a.${SERVICE}`
const pointer: Answer = { type: 'PTR', name: SERVICE, data: name, ttl: 120 }
const rest: Answer[] = [
  { type: 'A', name: 'A.local', data: '10.0.0.1' },
  { type: 'TXT', name, data: [Buffer.from('channel=stable')] },
  { type: 'SRV', name: name.toUpperCase(), data: { target: 'a.local', port: 8080 } },
]

test('asks for the records that did not come along', () => {
  const table = createInstanceTable()
  table.add({ records: [pointer], sender: '10.0.0.1' })
  assert.deepEqual(
    table.missing().map(({ type }) => type),
    ['SRV', 'TXT'],
  )
  table.add({ records: rest.slice(1), sender: '10.0.0.1' })
  assert.deepEqual(table.missing(), [{ name: 'a.local', type: 'A' }])
  assert.deepEqual(table.complete(), [])
  table.add({ records: rest.slice(0, 1), sender: '10.0.0.1' })
  const [instance] = table.complete()
  assert.deepEqual([instance?.label, instance?.port, instance?.addresses], ['plasmd-a', 8080, ['10.0.0.1']])
})

test('takes records in any order, and forgets an instance that said goodbye', () => {
  const table = createInstanceTable()
  table.add({ records: [...rest, pointer], sender: '10.0.0.1' })
  assert.equal(table.complete().length, 1)
  table.add({ records: [{ ...pointer, ttl: 0 }], sender: '10.0.0.1' })
  assert.deepEqual(table.complete(), [])
})

test('TXT: no case in keys, the first of a name, a lone key, an equals sign in the value', () => {
  const pairs = parseTxt(['Channel=a', 'channel=b', 'flag', 'x=1=2', '=y'].map((text) => Buffer.from(text)))
  assert.deepEqual(Object.fromEntries(pairs), { channel: 'a', flag: '', x: '1=2' })
})

test('a query: header, labels, type and class, with the bit for unicast', () => {
  const query = encodeQuery([{ name: 'x.local', type: 'PTR' }], { unicast: true })
  assert.equal(query.toString('hex'), `${'0000'.repeat(2)}0001${'0000'.repeat(3)}0178056c6f63616c00000c8001`)
  const dotted = encodeQuery([{ name: `a.b.${SERVICE}`, type: 'SRV' }], { unicast: false })
  assert.equal(dotted.toString('latin1', 12, 16), '\x03a.b')
})
