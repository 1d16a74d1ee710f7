import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { takeLock } from '../../agent/lock.ts'
import { stage } from '../../agent/stage.ts'
import { hostArch } from '../../service/arch.ts'
import { storePaths } from '../../service/store-layout.ts'
import { hex, makeStoreFixture, servedBy, setsIn } from '../support/store-fixture.ts'

test('a staged set is what the store serves, and the set before it is kept', async (t) => {
  const at = await makeStoreFixture(t)
  const [a, b, c] = [await at.put('a'), await at.put('b', { sequence: 2 }), await at.put('c', { sequence: 3 })]
  const first = await stage(at.request(a.dir))
  assert.deepEqual(first, {
    manifestDigest: a.digest,
    channel: 'stable',
    arch: hostArch(),
    sequence: 1,
    bytes: Object.values(a.set.files).reduce((sum, { length }) => sum + length, 0),
    directory: storePaths(at.store).set(a.digest),
    already: false,
  })
  assert.equal(await servedBy(at.store), a.digest)
  await stage(at.request(b.dir))
  assert.deepEqual(await setsIn(at.store), [hex(a.digest), hex(b.digest)].sort())
  await stage(at.request(c.dir))
  assert.equal(await servedBy(at.store), c.digest)
  assert.deepEqual(await setsIn(at.store), [hex(b.digest), hex(c.digest)].sort())
})

test('a store in memory keeps only what is served', async (t) => {
  const at = await makeStoreFixture(t)
  const store = await mkdtemp('/dev/shm/plasm-store-')
  t.after(() => rm(store, { recursive: true }))
  const [a, b] = [await at.put('a'), await at.put('b', { sequence: 2 })]
  await stage({ ...at.request(a.dir), store })
  await stage({ ...at.request(b.dir), store })
  assert.equal(await servedBy(store), b.digest)
  assert.deepEqual(await setsIn(store), [hex(b.digest)])
  assert.deepEqual(await readdir(join(store, 'stable')), [hostArch()], 'and no link to what is gone')
})

test('store_max_bytes keeps more of the older sets, the newest first', async (t) => {
  const at = await makeStoreFixture(t)
  const sets = []
  for (const sequence of [1, 2, 3, 4]) sets.push(await at.put(`set-${sequence}`, { sequence }))
  const bytes = Object.values(sets[0]!.set.files).reduce((sum, { length }) => sum + length, 20_000)
  await writeFile(
    at.sources.tomlFile!,
    `store_root = ${JSON.stringify(at.store)}\nstore_max_bytes = ${Math.round(bytes * 3.5)}\n`,
  )
  for (const { dir } of sets) await stage(at.request(dir))
  assert.deepEqual(
    await setsIn(at.store),
    sets
      .slice(1)
      .map(({ digest }) => hex(digest))
      .sort(),
  )
})

test('staging what is served already writes nothing when it is right, and mends it when it is not', async (t) => {
  const at = await makeStoreFixture(t)
  const a = await at.put('a')
  await stage(at.request(a.dir))
  const kernel = join(storePaths(at.store).set(a.digest), 'vmlinuz')
  const { ino } = await stat(kernel)
  assert.equal((await stage(at.request(a.dir))).already, true)
  assert.equal((await stat(kernel)).ino, ino)
  const file = await open(kernel, 'r+')
  await file.write('rot', 1000)
  await file.close()
  assert.match(await servedBy(at.store), /wrong vmlinuz/)
  assert.equal((await stage(at.request(a.dir))).already, false)
  assert.equal(await servedBy(at.store), a.digest)
  assert.deepEqual(await setsIn(at.store), [hex(a.digest)])
})

test('artifacts may lie under the names of their roles', async (t) => {
  const at = await makeStoreFixture(t)
  const a = await at.put('a')
  await rename(join(a.dir, 'vmlinuz'), join(a.dir, 'kernel'))
  await stage(at.request(a.dir))
  assert.equal(await servedBy(at.store), a.digest)
})

const REFUSED: ReadonlyArray<{
  readonly what: string
  readonly code: string
  readonly harm: (dir: string) => Promise<void>
}> = [
  {
    what: 'a changed byte',
    code: 'artifact-digest-mismatch',
    async harm(dir) {
      const bytes = await readFile(join(dir, 'vmlinuz'))
      bytes[5]! ^= 1
      await writeFile(join(dir, 'vmlinuz'), bytes)
    },
  },
  {
    what: 'a file that is cut short',
    code: 'artifact-size',
    harm: (dir) => writeFile(join(dir, 'initramfs.img'), 'short'),
  },
  {
    what: 'a missing file',
    code: 'artifact-missing',
    harm: (dir) => rename(join(dir, 'rootfs.sqfs'), join(dir, 'elsewhere')),
  },
  { what: 'a broken manifest', code: 'manifest-invalid', harm: (dir) => writeFile(join(dir, 'manifest.json'), '{') },
]

for (const { what, code, harm } of REFUSED) {
  test(`${what} is refused with ${code}, and the store is as it was`, async (t) => {
    const at = await makeStoreFixture(t)
    const [a, b] = [await at.put('a'), await at.put('b', { sequence: 2 })]
    await stage(at.request(a.dir))
    await harm(b.dir)
    await assert.rejects(stage(at.request(b.dir)), { code })
    assert.equal(await servedBy(at.store), a.digest)
    assert.deepEqual(await setsIn(at.store), [hex(a.digest)])
  })
}

test('an older set and a set for another channel are refused', async (t) => {
  const at = await makeStoreFixture(t)
  const [a, b] = [await at.put('a', { sequence: 2 }), await at.put('b', { sequence: 1 })]
  const other = await at.put('other', { channel: 'testing', sequence: 3 })
  await stage(at.request(a.dir))
  await assert.rejects(stage(at.request(b.dir)), { code: 'set-older', facts: { offered: 1, stored: 2 } })
  await assert.rejects(stage(at.request(other.dir)), { code: 'wrong-channel' })
  assert.equal(await servedBy(at.store), a.digest)
})

test('nothing is staged while another agent uses the store', async (t) => {
  const at = await makeStoreFixture(t)
  const a = await at.put('a')
  const lock = await takeLock(at.store)
  await assert.rejects(stage(at.request(a.dir)), { code: 'already-running' })
  await lock.release()
  await stage(at.request(a.dir))
})

const MAIN = resolve(import.meta.dirname, '../../agent/main.ts')

/** An /etc of its own, so that what this machine trusts and is told plays no part. Arguments: the trust policy. */
const OWN_ETC = `mount -t tmpfs etc /etc && mkdir -p /etc/plasm/trust || exit 99
[ -z "$1" ] || echo "$1" >/etc/plasm/trust/policy.toml
shift; exec "$@"`

/** plasm-agent as people run it. */
function plasmAgent(
  trust: string,
  ...args: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const command = ['-m', 'sh', '-c', OWN_ETC, 'sh', trust, process.execPath, MAIN, ...args]
    execFile('unshare', command, (error, stdout, stderr) => done({ code: Number(error?.code ?? 0), stdout, stderr }))
  })
}

const root = process.getuid?.() === 0 ? {} : { skip: 'mounting needs root' }
const TRUSTING = 'allow_unsigned = true'

test('stage and verify teach what they do, and exit with the codes that they name', root, async (t) => {
  const at = await makeStoreFixture(t)
  const a = await at.put('a')
  for (const [command, taught] of [
    ['stage', /power cut/],
    ['verify', /http:\/\/192\.168\.1\.10:8080/],
  ] as const) {
    const help = await plasmAgent('', command, '--help')
    assert.equal(help.code, 0)
    assert.match(help.stdout, taught)
    assert.match(help.stdout, /Exit codes: 0 /)
    assert.equal((await plasmAgent('', command)).code, 2)
    const untrusted = await plasmAgent('', command, a.dir, '--json')
    assert.equal(untrusted.code, 78)
    assert.equal(JSON.parse(untrusted.stdout).error.code, 'trust-missing')
    assert.match(
      untrusted.stderr,
      /\[trust-missing\]\n {2}bake one into the image .*; on a host, verify and discover take --policy FILE/,
    )
  }
  const staged = await plasmAgent(TRUSTING, 'stage', a.dir, '--store', at.store)
  assert.deepEqual([staged.code, staged.stderr], [0, ''])
  assert.match(staged.stdout, /^sha256:\S+ is whole and will be served: /)
  const again = await plasmAgent(TRUSTING, 'stage', a.dir, '--store', at.store, '--json')
  assert.equal(JSON.parse(again.stdout).already, true)
  const link = storePaths(at.store).link('stable', hostArch())
  assert.equal((await plasmAgent(TRUSTING, 'verify', link)).code, 0)
  await writeFile(join(a.dir, 'rootfs.sqfs'), 'too long by far')
  const differs = await plasmAgent(TRUSTING, 'verify', a.dir)
  assert.equal(differs.code, 65)
  assert.match(differs.stdout, /rootfs +wrong: 15 bytes, not 9\n.*: rootfs\n$/s)
  assert.equal((await plasmAgent(TRUSTING, 'verify', 'http://127.0.0.1:9')).code, 69)
})
