import assert from 'node:assert/strict'
import { test } from 'node:test'
import { browseBeside, found, GOOD, GOOD_URL, rejected } from '../support/browse-beside.ts'
import type { Browsed } from '../support/browse-program.ts'
import { node, onLinkPair } from '../support/link-pair.ts'

/** How a provider that was found is lost again, and how not (RFC 6762, 9 and 10). */
test('a provider that says goodbye is told of as gone', async () => {
  const browsed = await browseBeside(
    [
      { ...GOOD, afterMs: 1500 },
      { ...GOOD, ttl: 0, afterMs: 500 },
    ],
    { every: 0, browseMs: 5000 },
  )
  assert.deepEqual(found(browsed), [GOOD_URL])
  assert.deepEqual(rejected(browsed), [`${GOOD_URL}: it said goodbye`])
  // It has a second to say that it is there all the same (RFC 6762, 10.1).
  const [first, second] = browsed.told.map(({ at }) => at)
  assert.ok(second! - first! >= 1_400, `after ${second! - first!} ms`)
})

const FORGED_URL = 'http://10.77.0.1:8080'

test('a goodbye that somebody else says for a provider takes nothing away from it', async () => {
  const browsed = await onLinkPair<Browsed>(
    node('forged-goodbye-program.ts', 'same'),
    node('browse-program.ts', '7000'),
  )
  assert.deepEqual(found(browsed), [FORGED_URL])
  assert.deepEqual(rejected(browsed), [])
  // Many of them, and what the provider said to each.
  assert.ok(browsed.counts.answers > 12, `${browsed.counts.answers} answers`)
})

test('a goodbye with other records than the provider has is a conflict: it takes another name, and is found under that', async () => {
  const browsed = await onLinkPair<Browsed>(
    node('forged-goodbye-program.ts', 'other'),
    node('browse-program.ts', '9000'),
  )
  assert.deepEqual(found(browsed), [FORGED_URL, FORGED_URL])
  assert.deepEqual(rejected(browsed), [`${FORGED_URL}: it said goodbye`])
  assert.ok(!('reason' in browsed.told.at(-1)!), 'and stays')
})

test('an address that comes with the cache-flush bit takes the place of the one before', async () => {
  const browsed = await browseBeside(
    [
      { ...GOOD, afterMs: 1000 },
      { ...GOOD, address: '10.77.0.10', from: '10.77.0.10', afterMs: 1500 },
    ],
    { every: 0, browseMs: 5000 },
  )
  assert.deepEqual(new Set(found(browsed)), new Set([GOOD_URL, 'http://10.77.0.10:8080']))
  assert.deepEqual(rejected(browsed), [`${GOOD_URL}: it is somewhere else now`])
  const [first, second] = browsed.told
  assert.deepEqual([first?.url, second?.url], [GOOD_URL, 'http://10.77.0.10:8080'])
})

test('one that moves about is told of a number of times, and no more', async () => {
  const ports = Array.from({ length: 60 }, (_, index) => ({
    ...GOOD,
    port: 9000 + index,
    afterMs: index === 0 ? 1000 : 40,
  }))
  const browsed = await browseBeside(ports, { every: 0, browseMs: 6000 })
  assert.equal(found(browsed).length, 16)
  assert.equal(rejected(browsed).length, 15)
})

test('one that is not heard of again is gone when its time to live is over', async () => {
  const browsed = await browseBeside([{ ...GOOD, ttl: 2, afterMs: 1500 }], { every: 0, browseMs: 5000 })
  assert.deepEqual(found(browsed), [GOOD_URL])
  assert.match(rejected(browsed)[0] ?? '', /: its time to live is over$/)
  const [first, second] = browsed.told.map(({ at }) => at)
  assert.ok(second! - first! >= 1900, `after ${second! - first!} ms`)
})
