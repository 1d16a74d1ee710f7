import assert from 'node:assert/strict'
import { chmod, lstat, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { adopt } from '../../agent/adopt.ts'
import { stage } from '../../agent/stage.ts'
import { hostArch } from '../../service/arch.ts'
import { storePaths } from '../../service/store-layout.ts'
import { codeOf, runStage, type StageError } from '../support/run-stage.ts'
import { hex, makeStoreFixture, type StoreFixture, servedBy, setsIn } from '../support/store-fixture.ts'
import { straceHere } from '../support/strace-here.ts'
import { TRUSTING } from '../support/trust.ts'

interface Staged extends StoreFixture {
  /** What the store serves. */
  readonly old: { readonly digest: string }
  /** What is to be staged over it. */
  readonly next: { readonly dir: string; readonly digest: string }
}

async function staged(t: TestContext): Promise<Staged> {
  const at = await makeStoreFixture(t)
  const old = await at.put('old')
  const next = await at.put('next', { sequence: 2 })
  await stage(at.request(old.dir))
  return { ...at, old, next }
}

async function assertIntact({ store, old }: Staged): Promise<void> {
  assert.equal(await servedBy(store), old.digest)
  assert.deepEqual(await setsIn(store), [hex(old.digest)], 'no half set is left')
}

interface Planted {
  readonly what: string
  /** @returns the path that is to be blamed */
  readonly plant: (at: Staged, elsewhere: string) => Promise<string>
}

const moveAndLink = async (path: string, elsewhere: string) => {
  await rename(path, join(elsewhere, 'moved'))
  await symlink(join(elsewhere, 'moved'), path)
  return path
}

const PLANTED: readonly Planted[] = [
  { what: 'a link for the store', plant: (at, elsewhere) => moveAndLink(at.store, elsewhere) },
  { what: 'a link for .sets', plant: (at, elsewhere) => moveAndLink(storePaths(at.store).sets, elsewhere) },
  { what: 'a link for the channel', plant: (at, elsewhere) => moveAndLink(join(at.store, 'stable'), elsewhere) },
  {
    what: 'a link for the handover directory',
    async plant(at, elsewhere) {
      await symlink(elsewhere, storePaths(at.store).handover)
      return storePaths(at.store).handover
    },
  },
  {
    what: 'a link for the set that is served',
    plant: (at, elsewhere) => moveAndLink(storePaths(at.store).set(at.old.digest), elsewhere),
  },
  {
    what: 'a link for an artifact',
    plant: (at, elsewhere) => moveAndLink(join(storePaths(at.store).set(at.old.digest), 'vmlinuz'), elsewhere),
  },
  {
    what: 'a link for a manifest',
    plant: (at, elsewhere) => moveAndLink(join(storePaths(at.store).set(at.old.digest), 'manifest.json'), elsewhere),
  },
  {
    what: 'a store that others may write to',
    async plant(at) {
      await chmod(at.store, 0o777)
      return at.store
    },
  },
  {
    what: 'a set that its group may write to',
    async plant(at) {
      const dir = storePaths(at.store).set(at.old.digest)
      await chmod(dir, 0o775)
      return dir
    },
  },
]

for (const { what, plant } of PLANTED) {
  test(`${what} is refused by serve and by stage, and nothing is written behind it`, async (t) => {
    const at = await staged(t)
    const elsewhere = join(at.directory, 'elsewhere')
    await mkdir(elsewhere)
    const path = await plant(at, elsewhere)
    const before = await tree(elsewhere)
    const expected = { channel: 'stable', arch: hostArch() }
    for (const attempt of [() => adopt(at.store, TRUSTING, expected), () => stage(at.request(at.next.dir))]) {
      const refused = await attempt().then(
        () => assert.fail('not refused'),
        (thrown) => thrown,
      )
      assert.deepEqual([refused.code, refused.facts.path], ['store-unsafe', path])
    }
    assert.deepEqual(await tree(elsewhere), before)
  })
}

const tree = async (dir: string) => (await readdir(dir, { recursive: true })).sort()

test('a link planted where a new set will lie is refused', async (t) => {
  const at = await staged(t)
  await mkdir(join(at.directory, 'elsewhere'))
  await symlink(join(at.directory, 'elsewhere'), storePaths(at.store).set(at.next.digest))
  await assert.rejects(stage(at.request(at.next.dir)), { code: 'store-unsafe' })
  assert.deepEqual(await tree(join(at.directory, 'elsewhere')), [])
  assert.equal(await servedBy(at.store), at.old.digest)
})

test('a link planted for a file about to be written is replaced, not followed', async (t) => {
  const at = await staged(t)
  const precious = join(at.directory, 'precious')
  await writeFile(precious, 'precious')
  const dir = storePaths(at.store).set(at.next.digest)
  await mkdir(dir)
  for (const name of ['vmlinuz', 'manifest.json', 'manifest.json.new']) await symlink(precious, join(dir, name))
  await stage(at.request(at.next.dir))
  assert.equal(await readFile(precious, 'utf8'), 'precious')
  assert.equal((await lstat(join(dir, 'vmlinuz'))).isFile(), true)
  assert.equal(await servedBy(at.store), at.next.digest)
})

test('what a killed agent left behind is removed, and its links are not followed', async (t) => {
  const at = await staged(t)
  const { sets, link } = storePaths(at.store)
  const precious = join(at.directory, 'precious')
  await mkdir(precious)
  await writeFile(join(precious, 'file'), 'precious')
  await mkdir(join(sets, '.incoming-dead'))
  await symlink(precious, join(sets, '.incoming-dead', 'vmlinuz'))
  await symlink(precious, join(sets, '.incoming-link'))
  await symlink('../.sets/nowhere', join(at.store, 'stable', '.link-dead'))
  await stage(at.request(at.next.dir))
  assert.deepEqual(await setsIn(at.store), [hex(at.old.digest), hex(at.next.digest)].sort())
  assert.deepEqual((await readdir(join(link('stable', hostArch()), '..'))).sort(), [
    `.previous-${hostArch()}`,
    hostArch(),
  ])
  assert.equal(await readFile(join(precious, 'file'), 'utf8'), 'precious')
})

const root = process.getuid?.() === 0 ? {} : { skip: 'mounting needs root' }

/** Runs a command with the store mounted otherwise, in a mount namespace that ends with it. Arguments: store. */
const mounted = (at: Staged, script: string) => [
  'unshare',
  '-m',
  'sh',
  '-c',
  `${script}\nshift; exec "$@"`,
  'sh',
  at.store,
]

const READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit'
/** A tmpfs with the store's content and so much room that the next set's second artifact has none. */
const SMALL = `small=$(mktemp -d) && mount -t tmpfs -o size=6m,mode=755 small "$small" && cp -a "$1/." "$small" &&
  mount --move "$small" "$1" && rmdir "$small" || exit`

test('a read-only store is named so, and loses nothing', root, async (t) => {
  const at = await staged(t)
  const answer = await runStage({ request: at.request(at.next.dir) }, mounted(at, READ_ONLY))
  assert.equal(codeOf(answer), 'store-read-only')
  await assertIntact(at)
})

test('a store without room is named so before anything is written', root, async (t) => {
  const at = await staged(t)
  const big = await at.put('big', { sequence: 3, kernelBytes: 3 * 1024 * 1024 })
  const answer = await runStage({ request: at.request(big.dir) }, mounted(at, SMALL))
  assert.equal(codeOf(answer), 'store-full')
  assert.ok(((answer as StageError).error.facts.needBytes as number) > 3 * 1024 * 1024)
  await assertIntact(at)
})

interface Injected {
  readonly what: string
  readonly inject: string
  readonly code: string
}

const INJECTED: readonly Injected[] = [
  { what: 'a disk that fails while bytes are written', inject: 'pwrite64:error=EIO:when=2', code: 'storage-failed' },
  { what: 'a disk that fails at the first fsync', inject: 'fsync:error=EIO:when=1', code: 'storage-failed' },
  { what: 'a disk that fails at the last fsync of a file', inject: 'fsync:error=EIO:when=3', code: 'storage-failed' },
  { what: 'a disk that is full in the middle of a file', inject: 'pwrite64:error=ENOSPC:when=2', code: 'store-full' },
  { what: 'a quota that ends', inject: 'pwrite64:error=EDQUOT:when=3', code: 'store-full' },
  { what: 'a disk that is full when the manifest is synced', inject: 'fsync:error=ENOSPC:when=5', code: 'store-full' },
  {
    what: 'a filesystem that turns read-only at the rename',
    inject: 'rename:error=EROFS:when=2',
    code: 'store-read-only',
  },
  {
    what: 'a filesystem that turns read-only at the link',
    inject: 'symlink:error=EROFS:when=1',
    code: 'store-read-only',
  },
]

for (const { what, inject, code } of INJECTED) {
  test(`${what} is named ${code}, and nothing is lost`, straceHere(), async (t) => {
    const at = await staged(t)
    const name = inject.split(':', 1)[0]!
    const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${name}`, '-e', `inject=${inject}`]
    const answer = await runStage({ request: at.request(at.next.dir) }, ['env', 'UV_THREADPOOL_SIZE=1', ...strace])
    assert.equal(codeOf(answer), code)
    assert.equal(await servedBy(at.store), at.old.digest)
    // The set may lie there whole by then, only not linked: nothing of it is half.
    assert.deepEqual(
      (await setsIn(at.store)).filter((name) => name.startsWith('.')),
      [],
    )
    await stage(at.request(at.next.dir))
    assert.equal(await servedBy(at.store), at.next.digest)
  })
}

test('a process without file descriptors says so, however many it lacks, and loses nothing', async (t) => {
  const codes = new Set<string>()
  // One is what it takes to read the configuration.
  for (const spareDescriptors of [2, 3, 4, 5, 6]) {
    const at = await staged(t)
    const limited = ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh']
    const answer = await runStage({ request: at.request(at.next.dir), spareDescriptors }, limited)
    codes.add(codeOf(answer))
    if (codeOf(answer) === 'staged') assert.equal(await servedBy(at.store), at.next.digest)
    else await assertIntact(at)
  }
  assert.deepEqual([...codes].sort(), ['staged', 'too-many-files'])
})

test('two that stage at once: one of them does, the other is told who', async (t) => {
  const at = await staged(t)
  const other = await at.put('other', { sequence: 2 })
  const answers = await Promise.all([at.next.dir, other.dir].map((dir) => runStage({ request: at.request(dir) })))
  const codes = answers.map(codeOf)
  assert.ok(codes.includes('staged'), `${codes}`)
  const served = await servedBy(at.store)
  const index = [at.next.digest, other.digest].indexOf(served)
  assert.equal(codes[index], 'staged')
  if (codes.includes('already-running')) {
    const refused = answers.find((answer) => codeOf(answer) === 'already-running') as StageError
    assert.equal(refused.error.facts.store, at.store)
  }
  assert.ok(!(await setsIn(at.store)).some((name) => name.startsWith('.')))
})
