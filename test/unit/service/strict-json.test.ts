import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlasmError } from '../../../service/errors.ts'
import { type JsonLimits, parseStrictJson } from '../../../service/strict-json.ts'

const limits = { maxBytes: 1_000_000 }
const parse = (text: string | Buffer, more: Partial<JsonLimits> = {}) =>
  parseStrictJson(Buffer.from(text as string), { ...limits, ...more })

const good: readonly string[] = [
  '{}',
  '[]',
  ' {"a" : [ 1 , -0.5 , 1e3 , true , false , null , "x" ] }\r\n\t',
  '{"":{"":[[[]]]}}',
  '"\\"\\\\\\/é\\u00e9\\ud83d\\ude00 𝄞"',
  '9007199254740991',
  '-9007199254740991',
  '0',
]
for (const text of good) {
  test(`reads ${text.trim()} as JSON.parse does`, () => assert.deepEqual(parse(text), JSON.parse(text)))
}

const escaped = (code: string) => `{"a":{"b":["ok","x\\u${code}y"]}}`

const bad: ReadonlyArray<[name: string, text: string | Buffer, field: string, more?: Partial<JsonLimits>]> = [
  ['a name given twice', '{"a":{"b":1,"b":2}}', 'a.b'],
  ['a name given twice by an escape', '{"a":1,"\\u0061":2}', 'a'],
  ['__proto__', '{"a":{"__proto__":{}}}', 'a.__proto__'],
  ['constructor', '{"constructor":1}', 'constructor'],
  ['prototype, escaped', '{"proto\\u0074ype":1}', 'prototype'],
  ['an integer beyond 2^53 - 1', '{"sequence":9007199254740992}', 'sequence'],
  ['an integer that would be rounded', '{"sequence":9007199254740993}', 'sequence'],
  ['a negative one', '{"sequence":-9007199254740993}', 'sequence'],
  ['an exponent that hides one', '{"a":[0,1e300]}', 'a.1'],
  ['infinity by exponent', '{"a":1e999}', 'a'],
  ['bad UTF-8', Buffer.from([0x22, 0xff, 0x22]), '(document)'],
  ['an overlong encoding', Buffer.from([0x22, 0xc0, 0x80, 0x22]), '(document)'],
  ['a byte order mark', '\ufeff{}', '(document)'],
  ['NUL in a string', escaped('0000'), 'a.b.1'],
  ['a control character', escaped('001b'), 'a.b.1'],
  ['a raw line feed', '{"a":"x\ny"}', 'a'],
  ['C1 control', escaped('0085'), 'a.b.1'],
  ['right-to-left override', escaped('202e'), 'a.b.1'],
  ['a bidi isolate', escaped('2066'), 'a.b.1'],
  ['a line separator', escaped('2028'), 'a.b.1'],
  ['half a surrogate pair', escaped('d800'), 'a.b.1'],
  ['a bidi character in a name', '{"a\\u202e":1}', '(document)'],
  ['an over-long name', `{"${'n'.repeat(129)}":1}`, '(document)'],
  ['an over-long string', `{"a":"${'s'.repeat(4097)}"}`, 'a'],
  ['deep nesting', `${'['.repeat(17)}${']'.repeat(17)}`, Array(16).fill(0).join('.')],
  ['very deep nesting', '['.repeat(500_000), Array(16).fill(0).join('.')],
  ['a document that is too long', '"12345"', '(document)', { maxBytes: 6 }],
  ['nothing', '', '(document)'],
  ['two documents', '{}{}', '(document)'],
  ['a comma too many', '{"a":[1,]}', 'a.1'],
  ['a comma at the end', '{"a":1,}', '(document)'],
  ['a missing comma', '[1 2]', '(document)'],
  ['single quotes', "{'a':1}", '(document)'],
  ['a leading zero', '[01]', '(document)'],
  ['a bare point', '[1.]', '(document)'],
  ['NaN', '[NaN]', '0'],
  ['a comment', '{/**/}', '(document)'],
  ['an unknown escape', '["\\x"]', '0'],
  ['a broken escape', '["\\u12"]', '0'],
  ['a string without an end', '["x', '0'],
  ['an array without an end', '[1', '(document)'],
  ['an object without an end', '{"a":1', '(document)'],
]
for (const [name, text, field, more] of bad) {
  test(`refuses ${name}`, () => {
    assert.throws(
      () => parse(text, more),
      (error: PlasmError) => error.code === 'json-invalid' && assert.equal(error.facts.field, field) === undefined,
    )
  })
}

test('no message carries what moves a cursor', () => {
  assert.throws(
    () => parse('{"\u0007bell":{"x":01}}'),
    ({ message }: Error) => !/\p{Cc}/u.test(message),
  )
})

test('a large document is read in linear time', () => {
  const hashes = Array.from({ length: 10_000 }, () => 'ab'.repeat(32))
  assert.deepEqual(parse(JSON.stringify({ hashes }), { maxBytes: 1e7 }), { hashes })
})
