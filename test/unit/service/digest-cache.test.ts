import assert from 'node:assert/strict'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDigestCache } from '../../../service/digest-cache.ts'
import { type OpenFile, openInside } from '../../../service/open-inside.ts'
import { makeRoot, putSet, sha256 } from '../../support/plasmd.ts'

/** Longer than the kernel's clock tick, after which a digest may be kept. */
const SETTLED_MS = 40

async function opened(t: TestContext, root: string, name: string): Promise<OpenFile> {
  const file = (await openInside(root, root, name))!
  t.after(() => file.handle.close())
  return file
}

/** Counts what is read from a file. */
function counting(file: OpenFile): { file: OpenFile; reads: () => number } {
  let reads = 0
  const handle = new Proxy(file.handle, {
    get(target, key) {
      if (key === 'read') reads += 1
      const value = Reflect.get(target, key, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { file: { ...file, handle }, reads: () => reads }
}

test('knows nothing before somebody asks, and hashes once for all who ask at the same time', async (t) => {
  const root = await makeRoot(t)
  const { a } = await putSet(root, { a: 3_000_000 })
  await sleep(SETTLED_MS)
  const { file, reads } = counting(await opened(t, root, 'a'))
  const cache = createDigestCache()
  assert.equal(cache.known(file), undefined)
  assert.deepEqual(await Promise.all([cache.digest(file), cache.digest(file)]), [sha256(a), sha256(a)])
  assert.equal(reads(), 3)
  assert.equal(cache.known(file), sha256(a))
  assert.equal(await cache.digest(file), sha256(a))
  assert.equal(reads(), 3)
})

test('forgets a digest when the file changes, even at the same size and mtime', async (t) => {
  const root = await makeRoot(t)
  const { a } = await putSet(root, { a: 1000 })
  const cache = createDigestCache()
  await utimes(join(root, 'a'), 1, 1)
  await sleep(SETTLED_MS)
  assert.equal(await cache.digest(await opened(t, root, 'a')), sha256(a))
  const { a: changed } = await putSet(root, { a: 1000 })
  await utimes(join(root, 'a'), 1, 1)
  const file = await opened(t, root, 'a')
  assert.equal(cache.known(file), undefined)
  assert.equal(await cache.digest(file), sha256(changed))
})

test('gives no digest for a file that changed while it was read', async (t) => {
  const root = await makeRoot(t)
  await putSet(root, { a: 4_000_000 })
  await sleep(SETTLED_MS)
  const file = await opened(t, root, 'a')
  const digest = createDigestCache().digest(file)
  await writeFile(join(root, 'a'), 'new')
  assert.equal(await digest, undefined)
})

test('does not keep the digest of a file that was written just now', async (t) => {
  const root = await makeRoot(t)
  const cache = createDigestCache()
  const { a } = await putSet(root, { a: 10 })
  const file = await opened(t, root, 'a')
  const fresh = { ...file, ctimeMs: Date.now() }
  assert.equal(await cache.digest(fresh), sha256(a))
  assert.equal(cache.known(fresh), undefined)
})
