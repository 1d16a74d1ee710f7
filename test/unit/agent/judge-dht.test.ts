import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeDocument, judgeValue } from '../../../agent/judge-dht.ts'
import type { ProviderDocument } from '../../../service/dht/provider-document.ts'
import { makeValueRecord } from '../../../service/dht/value-record.ts'

const PLACE = { channel: 'stable', arch: 'arm64' } as const
const OWN = new Set(['192.0.2.9', '2001:db8::9'])
const judge = (value: string) => judgeValue(Buffer.from(value, 'latin1'), PLACE, OWN)

const READ: ReadonlyArray<[value: string, url: string]> = [
  ['http://192.0.2.1:8080/stable/arm64/manifest.json', 'http://192.0.2.1:8080'],
  ['http://192.0.2.1:8080/stable/aarch64/manifest.json', 'http://192.0.2.1:8080'],
  ['http://192.0.2.1:8080/manifest.json', 'http://192.0.2.1:8080'],
  ['http://192.0.2.1/base/stable/arm64/manifest.json', 'http://192.0.2.1/base'],
  ['http://192.0.2.1:8080', 'http://192.0.2.1:8080'],
  ['http://[2001:db8::1]:8080/manifest.json', 'http://[2001:db8::1]:8080'],
  ['{"manifest_url":"http://192.0.2.1:8080/stable/arm64/manifest.json","more":1}', 'http://192.0.2.1:8080'],
  ['{"channel":"stable","arch":"aarch64","http_addr":"192.0.2.1:8080"}', 'http://192.0.2.1:8080'],
  [' {"http_addr":"http://192.0.2.1:8080/"}', 'http://192.0.2.1:8080'],
]
for (const [value, url] of READ) {
  test(`a value record leads to its provider: ${value}`, () => {
    assert.deepEqual(judge(value), { url, source: 'dht', name: null, generation: null })
  })
}

test('what is written is what is read', () => {
  const written = makeValueRecord({ channel: 'stable', archName: 'aarch64', url: 'http://192.0.2.1:8080' })
  const read = judgeValue(written, PLACE, OWN)
  assert.deepEqual(['reason' in read, read.url], [false, 'http://192.0.2.1:8080'])
})

const REFUSED: ReadonlyArray<[value: string, reason: RegExp]> = [
  ['', /no http URL/],
  ['nonsense', /no http URL/],
  ['https://192.0.2.1/manifest.json', /no http URL/],
  ['file:///etc/passwd', /no http URL/],
  ['http://192.0.2.1:8080/\nroot', /character that URLs do not have/],
  ['http://192.0.2.1\t:8080/', /character that URLs do not have/],
  ['http://user@192.0.2.1/', /more than host, port and path/],
  ['http://192.0.2.1/?to=x', /more than host, port and path/],
  ['http://192.0.2.1:0/', /port 0 is not a port/],
  ['http://127.0.0.1/', /loopback/],
  ['http://0x7f.1/', /loopback/],
  ['http://2130706433/', /loopback/],
  ['http://0.0.0.0:8080/', /unspecified/],
  ['http://224.0.0.1/', /multicast/],
  ['http://255.255.255.255/', /reserved or broadcast/],
  ['http://192.0.2.9:8080/', /is this machine itself/],
  ['http://[2001:db8::9]:8080/', /is this machine itself/],
  ['http://[::1]:8080/', /no address of another machine/],
  ['http://[::ffff:127.0.0.1]/', /no address of another machine/],
  ['http://[ff02::1]/', /multicast/],
  ['http://[fe80::1]/', /link-local/],
  ['http://[2001:db8::1]:0/', /port 0 is not a port/],
  ['http://localhost:8080/', /is a name, and no address/],
  ['{"manifest_url":"http://192.0.2.1/"', /no manifest record/],
  ['{"manifest_url":["http://192.0.2.1/"]}', /no manifest record/],
  ['{"channel":"testing","manifest_url":"http://192.0.2.1/"}', /channel testing/],
  ['{"arch":"x86_64","manifest_url":"http://192.0.2.1/"}', /for x86_64/],
  ['{}', /names no URL/],
  [`http://192.0.2.1/${'a'.repeat(5000)}`, /has 50\d\d bytes/],
]
for (const [value, reason] of REFUSED) {
  test(`a value record is refused: ${JSON.stringify(value.slice(0, 60))}`, () => {
    const judged = judge(value)
    assert.ok('reason' in judged)
    assert.match(judged.reason, reason)
    assert.match(judged.url, /^[\x20-\x7e…]{0,110}$/, 'it can be shown to people')
  })
}

const PEER = {
  peerId: '12D3KooWCJVWjnWcSkExohKA1Ceh1jDsSdTSUCp336d7xwkbesTs',
  at: '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWCJVWjnWcSkExohKA1Ceh1jDsSdTSUCp336d7xwkbesTs',
}
const DOCUMENT: ProviderDocument = { urls: ['http://192.0.2.1:8080'], channel: 'stable', arch: 'aarch64' }
const judgeAll = (changes: Partial<ProviderDocument>, host?: string) =>
  judgeDocument({ document: { ...DOCUMENT, ...changes }, host }, PEER, PLACE, OWN)

test('what a peer says of itself becomes a candidate with its claims, and its peer id as proven', () => {
  const claims = { machine: 'plasm-aaaaaa', generation: 2, sequence: 9, version: '1.2.3', load: 1, set: '0123456789ab' }
  const { machine, ...rest } = claims
  assert.deepEqual(judgeAll({ ...claims, peerId: PEER.peerId }), [
    { url: 'http://192.0.2.1:8080', source: 'dht', name: machine, ...rest, peerId: PEER.peerId },
  ])
  assert.deepEqual(judgeAll({}), [
    { url: 'http://192.0.2.1:8080', source: 'dht', name: null, generation: null, peerId: PEER.peerId },
  ])
})

test('the address at which a peer was asked comes first', () => {
  const urls = ['http://192.0.2.1:8080', 'http://127.0.0.1:8080', 'http://198.51.100.1:8080']
  assert.deepEqual(
    judgeAll({ urls }, '198.51.100.1').map(({ url }) => url),
    [urls[2], urls[0], urls[1]],
  )
})

test('a peer that is none for us is rejected under its own name, not under that of a place that it tells of', () => {
  const wrong: ReadonlyArray<[changes: Partial<ProviderDocument>, reason: RegExp]> = [
    [{ urls: [] }, /serves nothing at the moment/],
    [{ channel: 'testing' }, /channel testing/],
    [{ arch: 'amd64' }, /serves amd64/],
    [{ peerId: '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X' }, /calls itself/],
    [{ urls: ['ftp://192.0.2.1/'] }, /no http URL/],
  ]
  for (const [changes, reason] of wrong) {
    const [judged, ...more] = judgeAll(changes)
    assert.ok(judged && 'reason' in judged)
    assert.match(judged.reason, reason)
    assert.deepEqual([judged.url, more.length], [PEER.at, 0])
  }
})
