import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isInside, openInside, resolveInside } from '../../../service/open-inside.ts'
import { makeRoot } from '../../support/plasmd.ts'

const DIGEST = 'a'.repeat(64)

async function content(root: string, dir: string, name: string): Promise<string | undefined> {
  const file = await openInside(root, dir, name)
  if (!file) return undefined
  const text = await file.handle.readFile('utf8')
  await file.handle.close()
  return text
}

async function makeStore(t: TestContext) {
  const base = await makeRoot(t)
  const root = join(base, 'root')
  await mkdir(join(root, '.sets', DIGEST), { recursive: true })
  await mkdir(join(root, '.sets', '.incoming-1'), { recursive: true })
  await mkdir(join(root, 'stable'))
  await writeFile(join(base, 'secret'), 'secret')
  await writeFile(join(root, '.sets', DIGEST, 'kernel'), 'k')
  await writeFile(join(root, '.sets', '.incoming-1', 'kernel'), 'unfinished')
  return { base, root, set: join(root, '.sets', DIGEST) }
}

test("follows the store's own link", async (t) => {
  const { root, set } = await makeStore(t)
  await symlink(`../.sets/${DIGEST}`, join(root, 'stable', 'arm64'))
  assert.equal(await resolveInside(root, 'stable', 'arm64'), set)
  assert.equal(await content(root, set, 'kernel'), 'k')
})

test('refuses links that leave the root, at every place of the path', async (t) => {
  const { base, root, set } = await makeStore(t)
  await symlink('../../..', join(root, 'stable', 'arm64'))
  assert.equal(await resolveInside(root, 'stable', 'arm64'), undefined)
  await symlink(join(base, 'secret'), join(set, 'absolute'))
  await symlink('../../../secret', join(set, 'relative'))
  await symlink('loop', join(set, 'loop'))
  for (const name of ['absolute', 'relative', 'loop', '../../../secret']) {
    assert.equal(await content(root, set, name), undefined, name)
  }
  await symlink('kernel', join(set, 'vmlinuz'))
  assert.equal(await content(root, set, 'vmlinuz'), 'k')
})

test('refuses hidden and unfinished places, even through a link', async (t) => {
  const { root, set } = await makeStore(t)
  await symlink('../.sets/.incoming-1', join(root, 'stable', 'arm64'))
  assert.equal(await resolveInside(root, 'stable', 'arm64'), undefined)
  await writeFile(join(root, '.provider.json'), '{}')
  await symlink('../../.provider.json', join(set, 'provider'))
  await writeFile(join(set, 'initramfs.part'), 'half')
  await symlink('initramfs.part', join(set, 'initramfs'))
  for (const name of ['provider', 'initramfs']) assert.equal(await content(root, set, name), undefined, name)
})

test('opens regular files only, and never waits for a writer', async (t) => {
  const { root, set } = await makeStore(t)
  execFileSync('mkfifo', [join(set, 'fifo')])
  await mkdir(join(set, 'dir'))
  for (const name of ['fifo', 'dir', 'absent']) assert.equal(await content(root, set, name), undefined, name)
})

test('an open file stays the file that was opened, and its identity changes with its content', async (t) => {
  const { root, set } = await makeStore(t)
  const before = (await openInside(root, set, 'kernel'))!
  await writeFile(join(set, 'next'), 'other')
  await rename(join(set, 'next'), join(set, 'kernel'))
  assert.equal(await before.handle.readFile('utf8'), 'k')
  const after = (await openInside(root, set, 'kernel'))!
  assert.notEqual(after.identity, before.identity)
  await before.handle.close()
  await after.handle.close()
})

test('a sibling whose name begins like the root is outside', () => {
  assert.equal(isInside('/srv/root', '/srv/root2/kernel'), false)
  assert.equal(isInside('/srv/root', '/srv/root'), true)
  assert.equal(isInside('/srv/root', `/srv/root/.sets/${DIGEST}/.x`), false)
  assert.equal(isInside('/srv/root', '/srv/root/.sets/short/kernel'), false)
})
