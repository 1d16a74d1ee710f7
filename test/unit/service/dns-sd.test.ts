import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer } from 'dns-packet'
import {
  createInstanceTable,
  type DnsResponse,
  DRAW_EVERY_MS,
  type InstanceTable,
  KEPT,
  SERVICE,
} from '../../../service/dns-sd.ts'
import { parseTxt } from '../../../service/parse-txt.ts'

const MINUTE = 60_000
const name = `plasmd-a.${SERVICE}`
const pointer: Answer = { type: 'PTR', name: SERVICE, data: name, ttl: 4500 }
const rest: Answer[] = [
  { type: 'A', name: 'A.local', data: '10.0.0.1', ttl: 120 },
  { type: 'TXT', name, data: [Buffer.from('channel=stable')], ttl: 4500 },
  { type: 'SRV', name: name.toUpperCase(), data: { target: 'a.local', port: 8080 }, ttl: 120 },
]
const from = (records: readonly Answer[], sender = '10.0.0.1', link = 'eth0'): DnsResponse => ({
  records,
  sender,
  link,
})
const labels = (table: InstanceTable, now: number) => table.changes(now).found.map(({ label }) => label)

/** A table that has told of the instance at 0. */
function told(): InstanceTable {
  const table = createInstanceTable()
  table.add(from([pointer, ...rest]), 0)
  assert.deepEqual(labels(table, 0), ['plasmd-a'])
  return table
}

test('asks for the records that did not come along', () => {
  const table = createInstanceTable()
  table.add(from([pointer]), 0)
  assert.deepEqual(
    table.missing().map(({ type }) => type),
    ['SRV', 'TXT'],
  )
  table.add(from(rest.slice(1)), 0)
  assert.deepEqual(table.missing(), [
    { name: 'a.local', type: 'A' },
    { name: 'a.local', type: 'AAAA' },
  ])
  assert.deepEqual(table.changes(0), { found: [], gone: [] })
  table.add(from(rest.slice(0, 1)), 0)
  const [instance] = table.changes(0).found
  assert.deepEqual([instance?.label, instance?.port, instance?.addresses], ['plasmd-a', 8080, ['10.0.0.1']])
})

test('takes records in any order, tells of each once, and again when it is different', () => {
  const table = createInstanceTable()
  table.add(from([...rest, pointer]), 0)
  assert.deepEqual(labels(table, 0), ['plasmd-a'])
  table.add(from([...rest, pointer]), 10)
  assert.deepEqual(labels(table, 10), [])
  table.add(from([{ ...rest[1]!, data: [Buffer.from('channel=testing')] } as Answer]), 20)
  assert.equal(table.changes(20).found[0]?.txt.get('channel'), 'testing')
})

test('one that says goodbye is gone a second later, however often it says so, and may come again', () => {
  const table = told()
  for (const at of [10, 500, 900]) table.add(from([{ ...pointer, ttl: 0 }]), at)
  assert.deepEqual(table.changes(1000).gone, [])
  assert.deepEqual(
    table.changes(1010).gone.map(({ instance, why }) => [instance.label, why]),
    [['plasmd-a', 'it said goodbye']],
  )
  table.add(from([pointer, ...rest]), 1020)
  assert.deepEqual(labels(table, 1020), ['plasmd-a'])
})

const types = (table: InstanceTable, now: number) => table.due(now).map(({ type }) => type)

test('a record for which somebody says goodbye is asked for, and stays where its owner still has it', () => {
  const table = told()
  const all = [pointer, ...rest].map((record) => ({ ...record, ttl: 0 }) as Answer)
  table.add(from(all, '10.0.0.66'), 10)
  assert.deepEqual(types(table, 10), ['PTR', 'SRV', 'TXT', 'A'])
  assert.deepEqual(types(table, 11), [])
  assert.deepEqual(table.changes(500), { found: [], gone: [] })
  table.add(from([pointer, ...rest]), 600)
  assert.deepEqual(table.changes(5000), { found: [], gone: [] })
  assert.deepEqual(types(table, 5000), [])
})

test('a goodbye for the records that say where it is ends those alone', () => {
  const table = told()
  table.add(from(rest.map((record) => ({ ...record, ttl: 0 }) as Answer)), 10)
  assert.equal(table.changes(1010).gone[0]?.why, 'it has no address any more')
  table.add(from(rest), 1020)
  assert.deepEqual(labels(table, 1020), ['plasmd-a'])
})

test('what is not heard of again ends with its time to live', () => {
  const table = told()
  assert.deepEqual(table.changes(119_000).gone, [])
  assert.equal(table.changes(121_000).gone[0]?.why, 'it has no address any more')
  assert.deepEqual(
    table.missing().map(({ type }) => type),
    ['SRV'],
    'its host is asked for once it is known where that is',
  )
  table.changes(4501_000)
  assert.deepEqual(table.missing(), [])
})

test('most of its time over, a record is asked for again, once at each of four times', () => {
  const table = told()
  const askedAt = [0, 95, 97, 98, 103, 109, 115, 119].filter((seconds) => table.due(seconds * 1000).length > 0)
  assert.deepEqual(askedAt, [97, 103, 109, 115])
})

test('the bit that says "these are all" ends the addresses heard before on that link, a second later', () => {
  const table = told()
  const address = (data: string, flush: boolean): Answer => ({ type: 'A', name: 'a.local', data, ttl: 120, flush })
  table.add(from([address('10.9.0.1', false)], '10.9.0.1', 'eth1'), 100)
  table.add(from([address('10.0.0.7', true)]), 5000)
  assert.deepEqual(table.changes(5000).found[0]?.addresses, ['10.0.0.1', '10.9.0.1', '10.0.0.7'])
  assert.deepEqual(table.changes(6001).found[0]?.addresses, ['10.9.0.1', '10.0.0.7'])
})

test('several addresses of one answer are all kept, also when they come in two packets', () => {
  const table = told()
  const flush = { ...rest[0]!, data: '10.0.0.9', flush: true } as Answer
  table.add(from([flush]), 900)
  assert.deepEqual(table.changes(3000).found[0]?.addresses, ['10.0.0.1', '10.0.0.9'])
})

test('an IPv6 link-local address is one of the link that it was heard on', () => {
  const table = createInstanceTable()
  const records: Answer[] = [
    pointer,
    ...rest.slice(1),
    { type: 'AAAA', name: 'a.local', data: 'FE80:0:0:0::1', ttl: 120 },
    { type: 'AAAA', name: 'a.local', data: 'fd00::1', ttl: 120 },
  ]
  table.add(from(records.slice(0, -1), 'fe80::1%eth1', 'eth1'), 0)
  assert.deepEqual(table.missing(), [{ name: 'a.local', type: 'A' }], 'there may be a better one')
  table.add(from(records, 'fe80::1%eth1', 'eth1'), 0)
  assert.deepEqual(table.missing(), [])
  assert.deepEqual(table.changes(0).found[0]?.addresses, ['fe80::1%eth1', 'fd00::1'])
})

const bogus = (count: number, sender: (index: number) => string): readonly DnsResponse[] =>
  Array.from({ length: count }, (_, index) =>
    from([{ ...pointer, data: `bogus-${index}.${SERVICE}` } as Answer], sender(index)),
  )

test('one sender gets a few places, all of them together no more than there are', () => {
  const table = createInstanceTable()
  for (const response of bogus(1000, () => '10.0.0.66')) table.add(response, 0)
  assert.equal(table.missing().length, KEPT.perSender * 2)
  assert.equal(table.turnedAway(), 1000 - KEPT.perSender)
  for (const response of bogus(10_000, (index) => `10.1.${index % 100}.1`)) table.add(response, 0)
  assert.equal(table.missing().length, KEPT.services * 2)
})

test('one that is complete finds a place among many that are not', () => {
  const table = createInstanceTable()
  for (const response of bogus(10_000, (index) => `10.1.${index % 250}.1`)) table.add(response, 0)
  table.add(from([pointer, ...rest]), 0)
  assert.deepEqual(labels(table, 0), ['plasmd-a'])
  for (const response of bogus(10_000, (index) => `10.2.${index % 250}.1`)) table.add(response, 0)
  assert.deepEqual(table.changes(0).gone, [], 'and keeps it')
})

/** A whole one. */
const wholeFrom = (label: string, sender: string): DnsResponse => {
  const other = (record: Answer) => ({ ...record, name: `${label}.${SERVICE}` }) as Answer
  return from([{ ...pointer, data: `${label}.${SERVICE}` } as Answer, rest[0]!, ...rest.slice(1).map(other)], sender)
}

test('where whole ones of a few senders have taken all places, another sender gets one of those who have the most', () => {
  const table = createInstanceTable()
  for (let index = 0; index < 10_000; index += 1) table.add(wholeFrom(`bogus-${index}`, `10.1.0.${index % 20}`), 0)
  assert.equal(table.changes(0).found.length, KEPT.services)
  table.add(from([pointer, ...rest]), 0)
  const { found, gone } = table.changes(0)
  assert.deepEqual(
    found.map(({ label }) => label),
    ['plasmd-a'],
  )
  assert.deepEqual(
    gone.map(({ why }) => why),
    ['there is no room for so many of one sender'],
  )
  for (let index = 0; index < 10_000; index += 1) table.add(wholeFrom(`more-${index}`, `10.1.0.${index % 20}`), 0)
  assert.deepEqual(table.changes(0), { found: [], gone: [] }, 'places do not go to and fro')
})

/** As many senders as there are places, with one each. */
function full(): InstanceTable {
  const table = createInstanceTable()
  for (let index = 0; index < KEPT.services; index += 1) table.add(wholeFrom(`one-${index}`, `10.1.0.${index}`), 0)
  assert.equal(table.changes(0).found.length, KEPT.services)
  return table
}

test('where as many senders as there are places have one each, one of them gives way to another sender', () => {
  const table = full()
  table.add(from([pointer, ...rest]), 0)
  const { found, gone } = table.changes(0)
  assert.deepEqual(
    found.map(({ label }) => label),
    ['plasmd-a'],
  )
  assert.deepEqual(
    gone.map(({ why }) => why),
    ['there is no room for so many senders'],
  )
})

test('which one gives way is drawn by lot, once a second however many come', () => {
  const lots = Array.from({ length: 20 }, () => {
    const table = full()
    for (let index = 0; index < 1000; index += 1) table.add(wholeFrom(`more-${index}`, `10.2.${index % 250}.1`), 10)
    const [first, ...others] = table.changes(10).gone
    assert.deepEqual(others, [])
    table.add(from([pointer, ...rest]), DRAW_EVERY_MS + 10)
    assert.deepEqual(labels(table, DRAW_EVERY_MS + 10), ['plasmd-a'])
    return first!.instance.label
  })
  assert.ok(new Set(lots).size > 1, lots.join(' '))
})

test('no record is kept for longer than 75 minutes, whatever it says', () => {
  const table = createInstanceTable()
  table.add(from([pointer, ...rest].map((record) => ({ ...record, ttl: 2 ** 31 - 1 }) as Answer)), 0)
  assert.equal(table.changes(75 * MINUTE - 1).found.length, 1)
  assert.equal(table.changes(75 * MINUTE).gone[0]?.why, 'its time to live is over')
})

test('services of another kind, and addresses of hosts that nobody named, are not kept', () => {
  const table = createInstanceTable()
  table.add(from([{ ...pointer, data: 'printer._ipp._tcp.local' } as Answer, ...rest]), 0)
  assert.deepEqual(table.missing(), [])
  assert.equal(table.turnedAway(), 1)
})

test('what is known is told in queries until half of its time is over', () => {
  const table = told()
  for (const [seconds, known] of [
    [10, [{ name, ttl: 4490 }]],
    [119, [{ name, ttl: 4381 }]],
  ] as const) {
    assert.deepEqual(table.known(seconds * 1000), known)
  }
  table.add(from([{ ...pointer, ttl: 100 }]), 0)
  assert.deepEqual(table.known(51_000), [])
  assert.deepEqual(createInstanceTable().known(MINUTE), [])
})

test('TXT: no case in keys, the first of a name, a lone key, an equals sign in the value', () => {
  const pairs = parseTxt(['Channel=a', 'channel=b', 'flag', 'x=1=2', '=y'].map((text) => Buffer.from(text)))
  assert.deepEqual(Object.fromEntries(pairs), { channel: 'a', flag: '', x: '1=2' })
})

test('whoever gives a host many addresses does not keep its own from being heard', () => {
  const table = told()
  const address = (data: string): Answer => ({ type: 'A', name: 'a.local', data, ttl: 120 })
  const wrong = Array.from({ length: 40 }, (_, index) => address(`10.0.0.${100 + index}`))
  table.add(from(wrong, '10.0.0.66'), 1000)
  table.add(from([address('10.0.0.1')]), 2000)
  const [instance] = table.changes(2000).found
  assert.ok(instance?.addresses.includes('10.0.0.1'), String(instance?.addresses))
  assert.ok(instance!.addresses.length <= 16)
})
