import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Facts, judge, probeBudget } from '../../../host-harness/evidence.ts'
import { makeNodeKey } from '../../../service/node-key.ts'
import { NONCE as BOOT_NONCE, bootChain, receiptFor } from '../../support/receipts.ts'

const NONCE = 'run-5eed'
const SET_BYTES = 50_000_000
const DIGEST = `sha256:${'a'.repeat(64)}`

const { keys, envelopes } = bootChain(2, { manifestDigest: DIGEST })
const [origin, vm1, vm2] = keys.map(({ peerId }) => peerId) as [string, string, string]

/** A second generation, all of whose evidence is there. */
const WHOLE: Facts = {
  console: {
    banners: [1000, 20_000],
    commandLines: 2,
    bootNonce: BOOT_NONCE,
    stages: [
      { stage: 'fetch', release: null, banners: 1 },
      { stage: 'serve', release: NONCE, banners: 2 },
    ],
    rootfs: 'minimal',
    kexecAt: 18_000,
  },
  resets: 0,
  runId: 'run-1',
  nonce: NONCE,
  rootfs: 'minimal',
  published: { manifestDigest: DIGEST, manifestBytes: 1500, setBytes: SET_BYTES },
  claim: {
    release: `${NONCE}\n`,
    serveBootId: 'boot-2',
    rootfs: 'minimal',
    fetchBootIds: ['boot-1'],
    record: {
      version: 1,
      runId: 'run-1',
      machine: 'plasm-770002',
      peerId: vm2,
      generation: 2,
      provider: {
        url: 'http://192.168.77.11:8080',
        name: null,
        generation: 1,
        discoveredBy: 'mdns',
        peerId: vm1,
        provenBy: 'receipt',
      },
      set: {
        ...{ manifestDigest: DIGEST, channel: 'stable', arch: 'x86_64', version: '1', sequence: 2 },
        bytes: SET_BYTES,
        signedBy: [],
      },
      handover: 'carry',
      budget: { totalMiB: 469, availableMiB: 400, needMiB: 100, rootfsFreeMiB: 200, initrdMiB: 40, kernelMiB: 14 },
      lowestAvailableMiB: 279,
      fetchBootId: 'boot-1',
      bootNonce: BOOT_NONCE,
      candidates: [],
      timings: [],
    },
  },
  provider: { machine: 'vm1', generation: 1 },
  allowedProviders: ['vm1'],
  asked: { network: 'lan', discovery: 'mdns' },
  isNearOrigin: true,
  network: {
    ...{ multicastHeard: 41, multicastCrossed: 63, mdnsCrossed: 12, mdnsDropped: 0 },
    ...{ originBytes: 4000, originDropped: 0, dhtBytes: 0 },
  },
  received: {
    pairs: [
      { provider: 'origin', bytes: 2000 },
      { provider: 'vm1', bytes: SET_BYTES + 60_000 },
    ],
    strayBytes: 0,
  },
  providerSaysServed: SET_BYTES + 1500,
  servedSetDifferences: [],
  lineage: {
    envelopes,
    peerId: vm2,
    ancestry: [vm1, origin],
    receipts: true,
    bootNonce: BOOT_NONCE,
    manifestDigest: DIGEST,
  },
}

const withConsole = (change: Partial<Facts['console']>): Facts => ({
  ...WHOLE,
  console: { ...WHOLE.console, ...change },
})
const withClaim = (change: Partial<Facts['claim']>): Facts => ({ ...WHOLE, claim: { ...WHOLE.claim, ...change } })
const withRecord = (change: Partial<Facts['claim']['record']>): Facts =>
  withClaim({ record: { ...WHOLE.claim.record, ...change } })
const withLineage = (change: Partial<Facts['lineage']>): Facts => ({
  ...WHOLE,
  lineage: { ...WHOLE.lineage, ...change },
})
const withBytes = (origin: number, vm1: number, strayBytes = 0): Facts => ({
  ...WHOLE,
  received: {
    pairs: [
      { provider: 'origin', bytes: origin },
      { provider: 'vm1', bytes: vm1 },
    ],
    strayBytes,
  },
})

const withNetwork = (change: Partial<Facts['network']>): Facts => ({
  ...WHOLE,
  network: { ...WHOLE.network, ...change },
})
const asked = (discovery: Facts['asked']['discovery']) => ({ network: 'lan', discovery }) as const
const ROUTED = { network: 'routed', discovery: 'dht' } as const
/** Nothing was heard, nothing passed. */
const SILENT: Facts['network'] = { ...WHOLE.network, multicastHeard: 0, multicastCrossed: 0, mdnsCrossed: 0 }
const ON_LAN = { asked: WHOLE.asked, network: WHOLE.network }
/** The same boot, its provider found and asked for in another way, without mDNS. */
const foundBy = (discoveredBy: 'dht' | 'static'): Facts => ({
  ...withRecord({ provider: { ...WHOLE.claim.record.provider, discoveredBy } }),
  asked: asked(discoveredBy),
  network: { ...SILENT, mdnsDropped: 20 },
})
const FOUND_BY = { dht: foundBy('dht'), static: foundBy('static') }
const ISOLATED: Facts = {
  ...{ ...WHOLE, asked: { network: 'isolated-origin', discovery: 'mdns' }, isNearOrigin: false },
  network: { ...WHOLE.network, originBytes: 0, originDropped: 9 },
}

const [fetchStage, serveStage] = WHOLE.console.stages as [Facts['console']['stages'][0], Facts['console']['stages'][0]]
const ENOUGH = SET_BYTES + 60_000

/** What is wrong, the pieces that must be named for it, and the facts. */
const FAULTS: ReadonlyArray<readonly [name: string, pieces: readonly string[], facts: Facts]> = [
  ['one kernel only', ['kernelBanners', 'nonceInServeStage'], withConsole({ banners: [1000], stages: [fetchStage] })],
  ['three kernels', ['kernelBanners'], withConsole({ banners: [1000, 20_000, 30_000] })],
  ['one command line', ['commandLines'], withConsole({ commandLines: 1 })],
  ['a reset', ['resets'], { ...WHOLE, resets: 1 }],
  ['no word of kexec', ['kexecLine'], withConsole({ kexecAt: null })],
  [
    'boot media that hold the nonce',
    ['bootMedia'],
    withConsole({ stages: [{ ...fetchStage, release: NONCE }, serveStage] }),
  ],
  ['no fetch stage', ['bootMedia'], withConsole({ stages: [serveStage] })],
  [
    'the serve stage of another release',
    ['nonceInServeStage'],
    withConsole({ stages: [fetchStage, { ...serveStage, release: 'run-other' }] }),
  ],
  [
    'a serve stage before the second banner',
    ['nonceInServeStage'],
    withConsole({ stages: [fetchStage, { ...serveStage, banners: 1 }] }),
  ],
  ['another release reported', ['nonceInServeStage'], withClaim({ release: null })],
  ['no word of the rootfs on the console', ['rootfs'], withConsole({ rootfs: null })],
  ['another rootfs reported', ['rootfs'], withClaim({ rootfs: 'debian' })],
  ['a rootfs that nobody published', ['rootfs'], { ...WHOLE, rootfs: 'none' }],
  ["another run's record", ['runId'], withRecord({ runId: 'run-2' })],
  ['a provider that may not be used', ['provider'], { ...WHOLE, allowedProviders: ['vm9'] }],
  [
    'a provider that nobody is',
    ['provider', 'generation', 'bytesFromProvider', 'bytesFromOthers'],
    { ...WHOLE, provider: undefined },
  ],
  ['a generation that does not follow', ['generation'], withRecord({ generation: 3 })],
  [
    'a provider that was given',
    ['discovered'],
    withRecord({ provider: { ...WHOLE.claim.record.provider, discoveredBy: 'static' } }),
  ],
  [
    'another set',
    ['manifestDigest'],
    withRecord({ set: { ...WHOLE.claim.record.set, manifestDigest: `sha256:${'b'.repeat(64)}` } }),
  ],
  ['too few bytes from the provider', ['bytesFromProvider'], withBytes(2000, SET_BYTES - 1)],
  ['a chunk from the origin', ['bytesFromOthers'], withBytes(4_194_304, ENOUGH)],
  ['one byte above the budget', ['bytesFromOthers'], withBytes(probeBudget(1500) + 1, ENOUGH)],
  ['TCP that no pair explains', ['bytesFromOthers'], withBytes(2000, ENOUGH, 1)],
  ['a provider that says it served less', ['httpCounters'], { ...WHOLE, providerSaysServed: 1500 }],
  ['a machine that serves something else', ['servesSameSet'], { ...WHOLE, servedSetDifferences: ['kernel is other'] }],
  ['the same boot id in both stages', ['bootIdChanged'], withClaim({ serveBootId: 'boot-1' })],
  ['no report of the fetch stage', ['bootIdChanged'], withClaim({ fetchBootIds: [] })],
  [
    'a provider that gave no receipt',
    ['receipt', 'lineage'],
    {
      ...withRecord({ provider: { ...WHOLE.claim.record.provider, peerId: null, provenBy: null } }),
      lineage: { ...WHOLE.lineage, envelopes: [] },
    },
  ],
  ['receipts of a provider that gives none', ['receipt', 'lineage'], withLineage({ receipts: false })],
  ["another machine's record", ['receipt'], withRecord({ peerId: vm1 })],
  ['a record of another boot', ['receipt'], withRecord({ bootNonce: 'f'.repeat(32) })],
  ['a machine that never said who it is', ['receipt', 'lineage'], withLineage({ peerId: null })],
  ['no nonce on the console', ['receipt', 'lineage'], withLineage({ bootNonce: null })],
  ['receipts of another boot', ['receipt', 'lineage'], withLineage({ bootNonce: 'f'.repeat(32) })],
  ['receipts of another set', ['lineage'], withLineage({ manifestDigest: `sha256:${'b'.repeat(64)}` })],
  ['receipts given to another machine', ['receipt', 'lineage'], withLineage({ peerId: makeNodeKey().peerId })],
  ['a forged receipt', ['lineage'], withLineage({ envelopes: [{ ...(envelopes[0] as object), payload: 'e30=' }] })],
  ['a short cut', ['lineage'], withLineage({ envelopes: envelopes.slice(0, 1) })],
  [
    'an invented machine in between, with a key and receipts of its own',
    ['lineage'],
    withLineage({ envelopes: withInvented() }),
  ],
  [
    'a machine that passes itself off as booted by the origin',
    ['lineage'],
    withLineage({ envelopes: [receiptFor(keys[0]!, keys[2]!, [], { manifestDigest: DIGEST })] }),
  ],
  ['a machine that calls itself an origin', ['lineage'], withLineage({ envelopes: asOrigin() })],
  ['mDNS that never passed', ['mdns'], withNetwork({ mdnsCrossed: 0 })],
  ['a DHT that carries artifacts', ['dhtBytes'], withNetwork({ dhtBytes: 4_194_304 })],
  ['multicast across routers', ['multicast', 'mdns'], { ...FOUND_BY.dht, asked: ROUTED, network: WHOLE.network }],
  ['silence taken for a router', ['multicast'], { ...FOUND_BY.dht, asked: ROUTED, network: SILENT }],
  [
    'mDNS that passes where it was to be dropped',
    ['mdns'],
    { ...FOUND_BY.dht, network: { ...SILENT, mdnsCrossed: 1 } },
  ],
  ['found by mDNS where the DHT was asked for', ['discovered'], { ...WHOLE, asked: asked('dht'), network: SILENT }],
  ['found by the DHT where mDNS was asked for', ['discovered'], { ...FOUND_BY.dht, ...ON_LAN }],
  ['given, where either would do', ['discovered'], { ...FOUND_BY.static, ...ON_LAN, asked: asked('auto') }],
  ['discovered, where it was to be given', ['discovered'], { ...WHOLE, asked: asked('static'), network: SILENT }],
  [
    'a frame from the origin that came past the bridge',
    ['originApart'],
    { ...ISOLATED, network: { ...WHOLE.network, originBytes: 60, originDropped: 9 } },
  ],
  [
    'an origin that nobody tried to reach',
    ['originApart'],
    { ...ISOLATED, network: { ...WHOLE.network, originBytes: 0 } },
  ],
  ['a fetch stage that ran twice', ['bootIdChanged'], withClaim({ fetchBootIds: ['boot-0', 'boot-1'] })],
]

/** The receipts verify by themselves: only who knows the machines' keys sees that one of them does not exist. */
function withInvented(): readonly unknown[] {
  const ghost = makeNodeKey()
  const change = { manifestDigest: DIGEST }
  const above = [receiptFor(keys[0]!, ghost, [], change)]
  const middle = [receiptFor(ghost, keys[1]!, above, change), ...above]
  return [receiptFor(keys[1]!, keys[2]!, middle, change), ...middle]
}

/** vm1 leaves out that it was booted itself. */
function asOrigin(): readonly unknown[] {
  return [receiptFor(keys[1]!, keys[2]!, [], { manifestDigest: DIGEST })]
}

test('from a provider with a foreign plasmd there is no receipt, and nothing else is missing', () => {
  const unproven = withRecord({ provider: { ...WHOLE.claim.record.provider, peerId: null, provenBy: null } })
  const lineage = { ...WHOLE.lineage, envelopes: [], receipts: false }
  assert.deepEqual(judge({ ...unproven, lineage }).missing, [])
  const stranger = judge({ ...unproven, lineage: { ...lineage, peerId: vm1 } })
  assert.deepEqual(
    stranger.missing.map(({ piece }) => piece),
    ['receipt'],
    'who the machine is is still held against its reports',
  )
})

test('nothing is missing when all of it is there', () => {
  const { evidence, missing } = judge(WHOLE)
  assert.deepEqual(missing, [])
  assert.deepEqual(evidence, {
    kernelBanners: 2,
    resets: 0,
    nonceInServeStage: true,
    rootfs: 'minimal',
    bytesFromProvider: SET_BYTES + 60_000,
    bytesFromOthers: 0,
    probeBytes: 2000,
    servesSameSet: true,
    bootIdChanged: true,
    network: WHOLE.network,
  })
})

test('each network and way of discovery has a boot of which nothing is missing', () => {
  const boots: readonly Facts[] = [
    ...[FOUND_BY.dht, FOUND_BY.static, ISOLATED],
    { ...WHOLE, asked: asked('auto') },
    { ...FOUND_BY.dht, asked: ROUTED, network: { ...SILENT, multicastHeard: 20 } },
    { ...FOUND_BY.static, asked: { ...ROUTED, discovery: 'static' }, network: { ...SILENT, multicastHeard: 20 } },
    { ...FOUND_BY.dht, ...ON_LAN, asked: asked('auto'), network: { ...WHOLE.network, dhtBytes: 40_000 } },
    { ...ISOLATED, isNearOrigin: true, network: WHOLE.network },
  ]
  for (const facts of boots) assert.deepEqual(judge(facts).missing, [])
})

test('a foreign provider without counters is judged without them', () => {
  assert.deepEqual(judge({ ...WHOLE, providerSaysServed: null }).missing, [])
})

for (const [name, pieces, facts] of FAULTS) {
  test(`${name}: ${pieces.join(', ')}`, () => {
    assert.deepEqual(
      judge(facts).missing.map(({ piece }) => piece),
      pieces,
    )
  })
}

test('no chunk fits in the budget for asking after manifests', () => {
  assert.ok(probeBudget(64 * 1024) < 1024 * 1024)
  assert.ok(probeBudget(1500) < 64 * 1024, 'smaller than the smallest chunk that a manifest may have')
})
