import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookInDht, ORIGIN } from '../support/beside-providers.ts'
import type { DhtLiar } from '../support/dht-liars.ts'
import type { Told } from '../support/dht-look-program.ts'

const BOOTSTRAP = ['/ip4/10.77.0.1/tcp/4001']
const URL = 'http://10.77.0.1:8080'

const accepted = (told: readonly Told[]) => told.filter((one) => !('reason' in one))
const reasons = (told: readonly Told[]) => told.flatMap((one) => ('reason' in one ? [one.reason] : []))

/** Each reason is there once at least, and nobody but the origin is a candidate. */
function assertOnlyOrigin(told: readonly Told[], expected: readonly RegExp[]): void {
  assert.deepEqual([...new Set(accepted(told).map(({ url }) => url))], [URL])
  for (const reason of expected) {
    assert.ok(
      reasons(told).some((one) => reason.test(one)),
      `${reason} is not among ${JSON.stringify(reasons(told), null, 1)}`,
    )
  }
}

const POISON: ReadonlyArray<[value: string, reason: RegExp]> = [
  ['http://10.77.0.1:9/stable/x86_64/manifest.json', /nobody listens there/],
  ['http://10.77.0.99:8080/', /does not answer within 2 s|EHOSTUNREACH/],
  ['http://127.0.0.1:8080/manifest.json', /loopback/],
  ['http://10.77.0.1:0/', /port 0 is not a port/],
  ['http://10.77.0.1:8080/\nplasm: ready', /character that URLs do not have/],
  ['http://rogue.example/manifest.json', /is a name, and no address/],
  ['{"channel":"stable","manifest_url":', /no manifest record/],
  ['{"channel":"testing","manifest_url":"http://10.77.0.1:8080/"}', /channel testing/],
  [`http://10.77.0.1:8080/${'x'.repeat(6000)}`, /has 6\d+ bytes/],
]

test('poisoned values, however many and whoever is first, cost a rejection each, with its reason', async () => {
  const liars = POISON.map(([value]): DhtLiar => ({ value }))
  const { told } = await lookInDht([ORIGIN], { bootstrap: BOOTSTRAP, candidates: 1, rejected: POISON.length }, liars)
  assertOnlyOrigin(
    told,
    POISON.map(([, reason]) => reason),
  )
  for (const { url } of told) assert.match(url, /^[\x20-\x7e…]*$/, 'what a stranger wrote is safe to print')
})

const DOCUMENT = { urls: [URL], channel: 'stable', arch: process.arch === 'arm64' ? 'arm64' : 'x86_64' }
const answering = (document: object): DhtLiar => ({
  provider: { answers: JSON.stringify({ ...DOCUMENT, ...document }) },
})
const PROVIDERS: ReadonlyArray<[liar: DhtLiar, reason: RegExp]> = [
  [{ provider: 'dead' }, /ECONNREFUSED|dial|does not answer/],
  [{ provider: 'nowhere' }, /does not answer within 3 s|EHOSTUNREACH/],
  [{ provider: 'silent' }, /does not answer within 3 s/],
  [{ provider: 'mute' }, /does not speak \/plasm\/provider\/1\.0\.0/],
  [{ provider: { answers: '' } }, /provides nothing of this kind/],
  [{ provider: { answers: `{"urls":["${'x'.repeat(20_000)}` } }, /more than 16384 bytes/],
  [{ provider: { answers: 'ready' } }, /is no provider's/],
  [answering({ urls: [] }), /serves nothing at the moment/],
  [answering({ urls: ['http://127.0.0.1:8080'] }), /loopback/],
  [answering({ urls: ['http://10.77.0.1:8080/\r\n'] }), /is no provider's/],
  [answering({ channel: 'testing' }), /channel testing/],
  [answering({ peerId: '12D3KooWCJVWjnWcSkExohKA1Ceh1jDsSdTSUCp336d7xwkbesTs' }), /it calls itself 12D3/],
]

test('providers that are dead, silent, or answer nonsense hold up nobody and are told with the reason', async (t) => {
  const what = { bootstrap: BOOTSTRAP, candidates: 1, rejected: PROVIDERS.length }
  const { told } = await lookInDht(
    [ORIGIN],
    what,
    PROVIDERS.map(([liar]) => liar),
  )
  assertOnlyOrigin(
    told,
    PROVIDERS.map(([, reason]) => reason),
  )
  const slow = told.filter((one) => 'reason' in one && /within 3 s/.test(one.reason))
  const good = accepted(told)[0]!
  t.diagnostic(
    `the good one came after ${Math.round(good.at)} ms, the slow ones after ${slow.map(({ at }) => Math.round(at))}`,
  )
  assert.ok(
    slow.every(({ at }) => at > good.at),
    'the good one does not wait for those that are slow',
  )
})

test('bootstrap peers that are nobody, or no DHT node, do not keep the one that is from being joined', async () => {
  const bootstrap = ['10.77.0.1:9', '10.77.0.99:4001', '10.77.0.1:8080', '/ip4/10.77.0.1/tcp/4001']
  const { told } = await lookInDht([ORIGIN], { bootstrap, candidates: 1 })
  assertOnlyOrigin(told, [])
})

test('of two machines with the same key one is found, and nothing breaks', async () => {
  const seed = '11'.repeat(32)
  const twin = {
    machine: 'plasm-twin-a',
    generation: 1,
    sequence: 7,
    port: 8081,
    dhtPort: 4002,
    bootstrap: ['10.77.0.1:4001'],
    seed,
  }
  const { told } = await lookInDht([ORIGIN, twin, { ...twin, machine: 'plasm-twin-b', port: 8082, dhtPort: 4003 }], {
    bootstrap: BOOTSTRAP,
    candidates: 2,
  })
  const asked = accepted(told).filter(({ peerId }) => peerId !== undefined)
  assert.ok(asked.some(({ url }) => url === URL))
  const twins = asked.filter(({ name }) => name?.startsWith('plasm-twin'))
  assert.ok(twins.length > 0, JSON.stringify(told))
  assert.equal(new Set(twins.map(({ peerId }) => peerId)).size, 1)
})
