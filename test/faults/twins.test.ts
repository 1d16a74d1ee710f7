import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { storePaths } from '../../service/store-layout.ts'
import type { Booted } from '../support/boot-program.ts'
import { makeSet } from '../support/boot-set.ts'
import { node, onLinkPair } from '../support/link-pair.ts'
import { makeRoot } from '../support/plasmd.ts'
import { putTree } from '../support/served-trees.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'
import { TWIN_URLS } from '../support/twins-program.ts'

/** A disk that was cloned with the node key on it, say (docs/network.md). In the DHT: dht.test.ts. */
test('two neighbours with one node key are two candidates, the better one is booted from, and its receipt holds', async (t) => {
  const root = await makeRoot(t)
  const trusted = makeKey()
  const set = signSet(makeSet(), trusted)
  const trustFile = join(root, 'trust/policy.toml')
  await writePolicy(trustFile, [trusted])
  const trees = await Promise.all(['a', 'b'].map((name) => putTree(join(root, name), set)))
  for (const tree of trees) await writeFile(storePaths(tree).nodeKey, Buffer.alloc(32, 7), { mode: 0o600 })
  for (const [busy, better] of [
    ['0', TWIN_URLS[1]],
    ['1', TWIN_URLS[0]],
  ] as const) {
    const { events } = await onLinkPair<Booted>(
      node('twins-program.ts', busy, ...trees),
      node('boot-program.ts', trustFile, 'phase.mode=local'),
      {},
      60_000,
    )
    const verdicts = events.flatMap((event) => (event.type === 'candidate' ? [`${event.verdict} ${event.url}`] : []))
    assert.deepEqual(
      verdicts.slice(0, 2).sort(),
      TWIN_URLS.map((url) => `found ${url}`),
    )
    assert.equal(verdicts[2], `chosen ${better}`)
    assert.ok(events.some((event) => event.type === 'step-done' && event.step === 'receipt'))
  }
})
