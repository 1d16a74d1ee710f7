import { chmod, copyFile, cp, mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import type { Arch } from '../service/arch.ts'
import type { DebianPackage } from './apt-root.ts'
import { busyboxBinary, INIT_FILES } from './base-segment.ts'
import { programRunner } from './emulator.ts'
import { emptyDir, exists, REPOSITORY, writeAtEpoch } from './files.ts'
import { ROOT_DIRECTORIES } from './root-directories.ts'

/** What only the initramfs needs. */
const NOT_TAKEN = new Set(['init', 'data-disk', 'switch-root'])

/** What programs expect in /etc. Nobody logs in by password; the console's shell is for machines with `phase.shell`. */
const ETC_FILES: Readonly<Record<string, readonly string[]>> = {
  passwd: ['root:x:0:0:root:/root:/bin/sh', 'nobody:x:65534:65534:nobody:/nonexistent:/bin/false'],
  group: ['root:x:0:', 'tty:x:5:', 'nogroup:x:65534:'],
  shells: ['/bin/sh'],
  hosts: ['127.0.0.1 localhost', '::1 localhost'],
  profile: ['export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', "PS1='\\u@\\h:\\w\\$ '"],
}

/** The rootfs `minimal`: busybox as PID 1 and as every command, and init.d scripts. @returns its directory */
export async function makeMinimalTree(arch: Arch, busybox: DebianPackage, work: string): Promise<string> {
  const root = await emptyDir(join(work, 'minimal'))
  for (const directory of [...ROOT_DIRECTORIES, 'mnt']) await mkdir(join(root, directory), { recursive: true })
  await mkdir(join(root, 'root'), { mode: 0o700 })
  for (const directory of ['tmp', 'var/tmp']) {
    await mkdir(join(root, directory), { recursive: true })
    await chmod(join(root, directory), 0o1777)
  }
  const program = join(root, 'bin/busybox')
  await copyFile(await busyboxBinary(busybox), program)
  await chmod(program, 0o755)
  await linkCommands(arch, root)
  for (const [from, to] of Object.entries(INIT_FILES)) {
    if (!NOT_TAKEN.has(from)) await cp(join(REPOSITORY, 'init', from), join(root, to))
  }
  for (const [name, lines] of Object.entries(ETC_FILES)) {
    await writeAtEpoch(join(root, 'etc', name), `${lines.join('\n')}\n`)
  }
  return root
}

/** Every command that this busybox has, under the path where people look for it. */
async function linkCommands(arch: Arch, root: string): Promise<void> {
  const [program, ...words] = [...(await programRunner(arch)), join(root, 'bin/busybox'), '--list-full']
  const { stdout } = await execa(program!, words)
  for (const path of stdout.split('\n').filter((line) => line.includes('/'))) {
    const link = join(root, path)
    if (await exists(link)) continue
    await mkdir(dirname(link), { recursive: true })
    await symlink('/bin/busybox', link)
  }
}
