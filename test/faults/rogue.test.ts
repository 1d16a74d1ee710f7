import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Booted } from '../support/boot-program.ts'
import { makeSet } from '../support/boot-set.ts'
import { node, onLinkPair } from '../support/link-pair.ts'
import { makeRoot } from '../support/plasmd.ts'
import { HONEST_URL, ROGUE_URL } from '../support/rogue-responder-program.ts'
import { putTree } from '../support/served-trees.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

/** A machine that boots beside a provider with a key that its image does not trust, which is found before the honest one is. */
const WITHIN_MS = 60_000

/** What both serve, the rogue the newer one, and an image that trusts the honest one's key. */
async function twoProviders(t: TestContext) {
  const root = await makeRoot(t)
  const trusted = makeKey()
  const set = signSet(makeSet({ sequence: 6 }), trusted)
  const trustFile = join(root, 'trust/policy.toml')
  await writePolicy(trustFile, [trusted])
  return {
    trustFile,
    honest: await putTree(join(root, 'honest'), set),
    rogue: await putTree(join(root, 'rogue'), signSet(makeSet({ sequence: 99 }), makeKey())),
    kernel: createHash('sha256').update(set.files.vmlinuz!).digest('hex'),
  }
}

/** Found first, rejected for its key and named by `why`, and the honest one is booted from. */
function assertRogueNamed({ events, kernel, why }: Booted, expected: string): void {
  const verdicts = events.flatMap((event) => (event.type === 'candidate' ? [`${event.verdict} ${event.url}`] : []))
  assert.equal(verdicts[0], `found ${ROGUE_URL}`, `the rogue is not the first: ${verdicts.join(', ')}`)
  assert.equal(kernel, expected)
  assert.deepEqual(
    verdicts.filter((verdict) => verdict.startsWith('chosen')),
    [`chosen ${HONEST_URL}`],
  )
  const refused = events.find(
    (event) => event.type === 'candidate' && event.verdict === 'rejected' && event.url === ROGUE_URL,
  )
  assert.ok(refused?.type === 'candidate')
  assert.match(refused.reason!, /no trusted key made it.*\[signature-refused\]$/)
  const named = why.findIndex((line) => line.startsWith(`${ROGUE_URL} `))
  assert.match(why[named + 1] ?? '', /^ {4}rejected: .*\[signature-refused\]$/)
}

for (const [how, afterMs] of [
  ['as fast as plasmd does', undefined],
  ['when the rogue has long been found', 700],
] as const) {
  test(`a rogue answers at once by mDNS, the honest provider ${how}: it is booted from, and the rogue named`, async (t) => {
    const { trustFile, honest, rogue, kernel } = await twoProviders(t)
    const booted = await onLinkPair<Booted>(
      node('rogue-responder-program.ts', honest, rogue, ...(afterMs === undefined ? [] : [`${afterMs}`])),
      node('boot-program.ts', trustFile, 'phase.mode=local'),
      {},
      WITHIN_MS,
    )
    assertRogueNamed(booted, kernel)
  })
}

test('a poisoned value in the DHT is found first: its place is rejected with the reason, and the honest provider booted from', async (t) => {
  const { trustFile, honest, rogue, kernel } = await twoProviders(t)
  const cmdline = "'phase.mode=internet phase.bootstrap=/ip4/10.77.0.1/tcp/4001'"
  const booted = await onLinkPair<Booted>(
    node('poisoned-dht-program.ts', honest, rogue),
    node('boot-program.ts', trustFile, cmdline),
    {},
    WITHIN_MS,
  )
  assertRogueNamed(booted, kernel)
  const sources = booted.events.flatMap((event) => (event.type === 'candidate' ? [event.source] : []))
  assert.deepEqual([...new Set(sources)], ['dht'])
})
