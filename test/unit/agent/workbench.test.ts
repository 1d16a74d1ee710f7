import assert from 'node:assert/strict'
import { chmod, chown, link, lstat, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSetWriter } from '../../../agent/set-writer.ts'
import { verify } from '../../../agent/verify.ts'
import { createWorkbench } from '../../../agent/workbench.ts'
import { hostArch } from '../../../service/arch.ts'
import { makeSet } from '../../support/boot-set.ts'
import { TRUSTING } from '../../support/trust.ts'

const set = makeSet()
const verified = verify({ bytes: set.manifest, from: 'test', form: 'plain' }, TRUSTING, {
  channel: 'stable',
  arch: hostArch(),
})

async function directory(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'plasm-scratch-'))
  t.after(() => rm(made, { recursive: true, force: true }))
  return made
}

test('the scratch directory is made for its user alone', async (t) => {
  const scratch = join(await directory(t), 'run/boot')
  createWorkbench(scratch).makeRoom(verified)
  assert.equal((await lstat(scratch)).mode & 0o777, 0o700)
})

const UNSAFE: Readonly<Record<string, (scratch: string) => Promise<unknown>>> = {
  'that others may read': (scratch) => mkdir(scratch, { mode: 0o755 }),
  'that a link stands for': async (scratch) => {
    await mkdir(`${scratch}-elsewhere`, { mode: 0o700 })
    await symlink(`${scratch}-elsewhere`, scratch)
  },
}

for (const [what, make] of Object.entries(UNSAFE)) {
  test(`a scratch directory ${what} is refused`, async (t) => {
    const scratch = join(await directory(t), 'boot')
    await make(scratch)
    assert.throws(() => createWorkbench(scratch).makeRoom(verified), { code: 'scratch-unsafe' })
  })
}

const root = process.getuid?.() === 0 ? {} : { skip: 'giving a directory away needs root' }

test('a scratch directory of another user, or opened to others meanwhile, is refused', root, async (t) => {
  const scratch = join(await directory(t), 'boot')
  const workbench = createWorkbench(scratch)
  await chown(scratch, 12345, 12345)
  assert.throws(() => workbench.makeRoom(verified), { code: 'scratch-unsafe', message: /belongs to another user/ })
  await chown(scratch, 0, 0)
  await chmod(scratch, 0o770)
  assert.throws(() => workbench.makeRoom(verified), { code: 'scratch-unsafe', message: /is open to others/ })
})

/** A writer with a whole set in it. */
async function written(t: TestContext) {
  const dir = await directory(t)
  const files = { initrd: join(dir, 'initrd'), kernel: join(dir, 'kernel') }
  const writer = createSetWriter(verified, files)
  t.after(() => writer.close())
  writer.write('initramfs', 0, set.files['initramfs.img']!)
  writer.write('kernel', 0, set.files.vmlinuz!)
  return { files, writer }
}

test('a file that was put in place of the one that was verified is not booted', async (t) => {
  const { files, writer } = await written(t)
  await writeFile(`${files.kernel}.evil`, set.files.vmlinuz!)
  await rename(`${files.kernel}.evil`, files.kernel)
  assert.throws(() => writer.finish([{ name: 'boot-record.json', bytes: Buffer.from('{}') }]), {
    code: 'scratch-unsafe',
    message: /kernel is no longer the file that was written/,
  })
})

test('a file that lies there already, known by another name, is not written to', async (t) => {
  const dir = await directory(t)
  const [initrd, other] = [join(dir, 'initrd'), join(dir, 'other')]
  await writeFile(other, 'old')
  await link(other, initrd)
  const writer = createSetWriter(verified, { initrd, kernel: undefined })
  t.after(() => writer.close())
  writer.write('initramfs', 0, set.files['initramfs.img']!)
  assert.equal(await readFile(other, 'utf8'), 'old')
})

test('a link where the new initrd should be is neither followed nor removed', async (t) => {
  const dir = await directory(t)
  await writeFile(join(dir, 'target'), 'precious')
  await symlink(join(dir, 'target'), join(dir, 'initrd'))
  assert.throws(() => createSetWriter(verified, { initrd: join(dir, 'initrd'), kernel: undefined }), {
    code: 'not-a-file',
  })
  assert.equal(await readFile(join(dir, 'target'), 'utf8'), 'precious')
})
