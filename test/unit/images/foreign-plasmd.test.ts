import assert from 'node:assert/strict'
import {
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readlink,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { sha256File } from '../../../images/files.ts'
import { placePlasmd, takeForeignPlasmd } from '../../../images/foreign-plasmd.ts'
import { hostArch } from '../../../service/arch.ts'

/** A static program that setup.sh installs. */
const STATIC = '/bin/busybox'
const ARCH = hostArch()
const OTHER = ARCH === 'x86_64' ? 'arm64' : 'x86_64'

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'foreign-'))
})
after(() => rm(dir, { recursive: true, force: true }))

/** The static program with some bytes of its head changed. */
async function changed(name: string, at: number, bytes: readonly number[]): Promise<string> {
  const file = join(dir, name)
  await copyFile(STATIC, file)
  const handle = await open(file, 'r+')
  await handle.write(Uint8Array.from(bytes), 0, bytes.length, at)
  await handle.close()
  return file
}

test('a static program of the image’s architecture is taken, with its digest, and put beside the agent', async () => {
  const taken = await takeForeignPlasmd(STATIC, ARCH, join(dir, 'work'))
  const { size } = await stat(STATIC)
  assert.deepEqual(taken.input, { file: 'busybox', bytes: size, sha256: await sha256File(STATIC) })
  await mkdir(join(dir, 'bin'))
  await placePlasmd(join(dir, 'bin'), taken)
  const placed = await lstat(join(dir, 'bin/plasmd'))
  assert.deepEqual([placed.isFile(), placed.mode & 0o7777, placed.size], [true, 0o755, size])
  await mkdir(join(dir, 'own'))
  await placePlasmd(join(dir, 'own'), undefined)
  assert.equal(await readlink(join(dir, 'own/plasmd')), 'plasm-agent')
})

test('what cannot run in the image is refused, and why', async () => {
  const script = join(dir, 'script')
  await writeFile(script, `#!/bin/sh\n${'# longer than the head of an ELF file\n'.repeat(3)}`)
  const cut = join(dir, 'cut')
  await copyFile(STATIC, cut)
  await truncate(cut, 100)
  const cases: ReadonlyArray<readonly [file: string, problem: RegExp, arch?: 'arm64' | 'x86_64']> = [
    [join(dir, 'nothing'), /there is no such file/],
    [dir, /it is not a file/],
    [script, /not a 64-bit little-endian ELF file; a script/],
    [STATIC, new RegExp(`it is for ${ARCH}, and the image for ${OTHER}`), OTHER],
    [await changed('riscv', 18, [243, 0]), /it is for another architecture/],
    [await changed('object', 16, [1, 0]), /it is no program/],
    [await changed('small', 4, [1]), /not a 64-bit/],
    [cut, /it is cut short/],
    [process.execPath, /it is not static: it needs .*ld-linux.*libc\.so\.6/],
  ]
  for (const [file, message, arch = ARCH] of cases) {
    await assert.rejects(takeForeignPlasmd(file, arch, join(dir, 'work')), { code: 'plasmd-unfit', message }, file)
  }
})

test('another program than the locked one is refused', async () => {
  const locked = { file: 'plasmd', bytes: 1, sha256: 'a'.repeat(64) }
  const found = await sha256File(STATIC)
  await assert.rejects(takeForeignPlasmd(STATIC, ARCH, join(dir, 'work'), locked), {
    code: 'plasmd-changed',
    facts: { file: STATIC, expected: locked.sha256, found },
  })
  const taken = await takeForeignPlasmd(STATIC, ARCH, join(dir, 'work'), { ...locked, sha256: found })
  assert.deepEqual(await readFile(taken.file), await readFile(STATIC))
})
