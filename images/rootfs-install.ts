import { cp, lstat, mkdir, readdir, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ImageArch } from './arch-table.ts'
import { writeAtEpoch } from './files.ts'
import { FLAVOUR_FILE, type RootfsFlavour } from './rootfs-flavour.ts'

/** Where the programs of agent.sqfs go in a rootfs. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'bin/plasm-agent': 'usr/local/bin/plasm-agent',
  'bin/plasmd': 'usr/local/bin/plasmd',
  'bin/kexec': 'sbin/kexec',
}

/**
 * Puts into a rootfs what each of them has: the programs with the libraries that are not there yet, whom the machine trusts,
 * and the name of the flavour.
 * @param parts of agent-parts.ts
 */
export async function installPlasm(
  root: string,
  given: {
    readonly arch: ImageArch
    readonly flavour: RootfsFlavour
    readonly parts: string
    readonly trustDirectory: string
  },
): Promise<void> {
  const { arch, flavour, parts, trustDirectory } = given
  for (const [from, to] of Object.entries(PROGRAMS)) await copyTo(join(parts, from), join(root, to))
  for (const library of await readdir(join(parts, 'lib'))) {
    const target = join(root, arch.libraryDir, library)
    if (!(await isThere(target))) await copyTo(join(parts, 'lib', library), target)
  }
  const interpreter = join(root, arch.interpreter)
  if (!(await isThere(interpreter))) {
    await mkdir(dirname(interpreter), { recursive: true })
    await symlink(`/${join(arch.libraryDir, basename(interpreter))}`, interpreter)
  }
  await cp(trustDirectory, join(root, 'etc/plasm/trust'), { recursive: true })
  await writeAtEpoch(join(root, FLAVOUR_FILE), `${flavour}\n`)
  // Here the boot set appears that the machine serves (init/switch-root).
  await mkdir(join(root, 'var/lib/plasm'), { recursive: true })
}

async function copyTo(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await cp(from, to, { verbatimSymlinks: true })
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
