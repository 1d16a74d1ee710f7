import { open } from 'node:fs/promises'
import { execa } from 'execa'
import { EPOCH } from './files.ts'

/**
 * A directory as a newc archive with nothing of this host in it: sorted names, root's, one time, no inode numbers.
 * GNU cpio writes it (npm has no writer of newc); the format is the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export async function packCpio(dir: string, output: string): Promise<void> {
  await execa('find', ['.', '-exec', 'touch', '--no-dereference', `--date=@${EPOCH}`, '{}', '+'], { cwd: dir })
  const found = await execa('find', ['.', '-mindepth', '1', '-printf', '%P\\0'], { cwd: dir })
  const names = found.stdout.split('\0').filter(Boolean).sort()
  await execa(
    'cpio',
    ['--create', '--format=newc', '--reproducible', '--null', '--owner=0:0', '--quiet', '--file', output],
    {
      cwd: dir,
      input: names.map((name) => `${name}\0`).join(''),
    },
  )
}

/** The same, compressed as the kernel can unpack it, and padded to 4 bytes so that another segment can follow. */
export async function packZstdCpio(dir: string, output: string, level: number): Promise<void> {
  const plain = `${output}.cpio`
  await packCpio(dir, plain)
  await execa('zstd', ['-q', '-f', `-${level}`, '--rm', '--no-check', '-o', output, plain])
  await padTo(output, 4)
}

/** Appends zeros up to a multiple. @returns the new length */
export async function padTo(path: string, multiple: number): Promise<number> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const padded = Math.ceil(size / multiple) * multiple
    await file.truncate(padded)
    return padded
  } finally {
    await file.close()
  }
}

/** The 110-byte header of one newc member, its name and their padding: the data follow at the next multiple of 4. */
export function newcHeader(member: { name: string; mode: number; size: number; ino: number; nlink?: number }): Buffer {
  const name = `${member.name}\0`
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0')
  const fields = [member.ino, member.mode, 0, 0, member.nlink ?? 1, EPOCH, member.size, 0, 0, 0, 0, name.length, 0]
  const text = `070701${fields.map(hex).join('')}${name}`
  return Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4, '\0'), 'latin1')
}

export const NEWC_TRAILER = newcHeader({ name: 'TRAILER!!!', mode: 0, size: 0, ino: 0 })
