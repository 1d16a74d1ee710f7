import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, decode, encode } from 'dns-packet'
import { encodeQuery } from '../../../service/dns-query.ts'
import { createInstanceTable, type DnsResponse, SERVICE } from '../../../service/dns-sd.ts'
import { answersIn, dueQuery, untilNext } from '../../../service/mdns-browse.ts'

test('a query: header, labels, type and class, with the bit for unicast', () => {
  const query = encodeQuery([{ name: 'x.local', type: 'PTR' }], { unicast: true })
  assert.equal(query.toString('hex'), `${'0000'.repeat(2)}0001${'0000'.repeat(3)}0178056c6f63616c00000c8001`)
  const dotted = encodeQuery([{ name: `a.b.${SERVICE}`, type: 'SRV' }], { unicast: false })
  assert.equal(dotted.toString('latin1', 12, 16), '\x03a.b')
})

test('a query tells what is known, as others read it, and stays within one frame', () => {
  const known = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `plasmd-${index}.${SERVICE}`, ttl: 4000 }))
  const two = decode(encodeQuery([{ name: SERVICE, type: 'PTR' }], { unicast: false, known: known(2) }))
  assert.deepEqual(
    two.answers?.map((answer) => [
      answer.type,
      answer.name,
      'data' in answer && answer.data,
      'ttl' in answer && answer.ttl,
    ]),
    [0, 1].map((index) => ['PTR', SERVICE, `plasmd-${index}.${SERVICE}`, 4000]),
  )
  const many = encodeQuery([{ name: SERVICE, type: 'PTR' }], { unicast: false, known: known(64) })
  assert.ok(many.length <= 1400)
  assert.ok(decode(many).answers!.length > 30)
})

test('pointers whose time is nearly over are asked for once together, beside those that have most of theirs left', () => {
  const table = createInstanceTable()
  for (const label of ['old-1', 'old-2']) table.add(heard(label), 0)
  table.add(heard('half'), 1_200_000)
  table.add(heard('young'), 3_000_000)
  assert.deepEqual(asked(dueQuery(table, 3_650_000)), { pointers: 1, known: [[`young.${SERVICE}`, 3850]] })
  assert.equal(dueQuery(table, 3_650_500), undefined)
})

test('whoever says goodbye is asked for, and not told as known', () => {
  const table = createInstanceTable()
  table.add(heard('gone'), 0)
  table.add(heard('young'), 0)
  table.add(heard('gone', 0), 1000)
  assert.deepEqual(asked(dueQuery(table, 1000)), { pointers: 1, known: [[`young.${SERVICE}`, 4499]] })
})

/** An instance with all its records. @param ttl seconds; 0: a goodbye */
function heard(label: string, ttl = 4500): DnsResponse {
  const [name, host] = [`${label}.${SERVICE}`, `${label}.local`]
  const records: Answer[] = [
    { type: 'PTR', name: SERVICE, data: name, ttl },
    { type: 'SRV', name, data: { target: host, port: 8080 }, ttl: 4500 },
    { type: 'TXT', name, data: [], ttl: 4500 },
    { type: 'A', name: host, data: '10.0.0.1', ttl: 4500 },
  ]
  return { records, sender: '10.0.0.1', link: 'eth0' }
}

/** What a query's bytes say of the service. */
function asked(query: Buffer | undefined) {
  const { questions = [], answers = [] } = decode(query!)
  return {
    pointers: questions.filter(({ type, name }) => type === 'PTR' && name === SERVICE).length,
    known: answers.map((known) => known.type === 'PTR' && [known.data, known.ttl]),
  }
}

test('the rounds of questions: soon once more, then each pause twice as long, an hour at most', () => {
  const pauses = Array.from({ length: 20 }, (_, round) => untilNext(round))
  assert.deepEqual(pauses.slice(0, 8), [250, 750, 2000, 3000, 6000, 12_000, 24_000, 48_000])
  assert.equal(pauses.at(-1), 3600_000)
})

const header = (flags: number, answers = 1) => {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16BE(flags, 2)
  bytes.writeUInt16BE(answers, 6)
  return bytes
}
const ANSWER = 0x8400
const answer = encode({ type: 'response', answers: [{ type: 'A', name: 'a.local', data: '10.0.0.1', ttl: 1 }] })

const malformed: Readonly<Record<string, Buffer>> = {
  'no byte': Buffer.alloc(0),
  'a header that is cut': Buffer.alloc(5),
  'a name that points at itself': Buffer.concat([header(ANSWER), Buffer.of(0xc0, 12), Buffer.alloc(10)]),
  'two names that point at each other': Buffer.concat([
    header(ANSWER),
    Buffer.of(0xc0, 14, 0xc0, 12),
    Buffer.alloc(10),
  ]),
  'a name that points beyond the end': Buffer.concat([header(ANSWER), Buffer.of(0xff, 0xff), Buffer.alloc(10)]),
  'a label without its end': Buffer.concat([header(ANSWER), Buffer.of(63, 0x61)]),
  'a name of 300 bytes': Buffer.concat([
    header(ANSWER),
    Buffer.from('\x3f'.padEnd(64, 'a').repeat(5)),
    Buffer.alloc(11),
  ]),
  'more answers than there are': Buffer.concat([header(ANSWER, 65535), answer.subarray(12)]),
  'data beyond the end': answer.subarray(0, answer.length - 2),
  'more than 9,000 bytes': Buffer.concat([answer, Buffer.alloc(9000)]),
}
for (const [what, bytes] of Object.entries(malformed)) {
  test(`${what} is malformed`, () => assert.equal(answersIn(bytes, 5353, decode), 'malformed'))
}

test('queries, other operations, errors and answers from another port are no answers', () => {
  const changed = (flags: number) => Buffer.concat([header(flags), answer.subarray(12)])
  for (const flags of [0, 0xa400, 0x8403]) assert.equal(answersIn(changed(flags), 5353, decode), 'other')
  assert.equal(answersIn(answer, 40_000, decode), 'other')
  assert.equal(answersIn(changed(ANSWER), 5353, decode).length, 1)
})
