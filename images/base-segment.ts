import { chmod, copyFile, cp, mkdir, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { DebianPackage } from './apt-root.ts'
import { type ImageArch, MODULES } from './arch-table.ts'
import { packZstdCpio } from './cpio.ts'
import { emptyDir, exists, REPOSITORY } from './files.ts'
import { copyModules } from './modules.ts'
import { ROOT_DIRECTORIES } from './root-directories.ts'

const MORE_DIRECTORIES = [
  'tmp',
  'root',
  'lib/modules',
  'opt/plasm',
  'usr/lib',
  'usr/local/bin',
  'var/lib/plasm/boot-artifacts',
]

/** File in init/ -> where it lies in the image. */
export const INIT_FILES: Readonly<Record<string, string>> = {
  init: 'init',
  network: 'etc/plasm/network',
  'pid-files': 'etc/plasm/pid-files',
  'data-disk': 'etc/plasm/data-disk',
  'switch-root': 'etc/plasm/switch-root',
  'udhcpc.script': 'etc/plasm/udhcpc.script',
  'console-shell': 'etc/plasm/console-shell',
  'host-shell': 'etc/plasm/host-shell',
  inittab: 'etc/inittab',
  'init.d/plasm-network': 'etc/init.d/plasm-network',
  'init.d/plasm-agent': 'etc/init.d/plasm-agent',
  'init.d/plasmd': 'etc/init.d/plasmd',
}

/** Commands that the scripts in init/ call by name; console-shell installs the rest for people. */
const APPLETS = ['sh', 'mount', 'reboot', 'poweroff', 'init', 'ip', 'cat', 'ls', 'ps', 'dmesg', 'sync']

/**
 * The first segment: busybox, kernel modules, init, and links to what agent.sqfs holds once it is mounted.
 * @param output the finished segment
 */
export async function buildBaseSegment(
  arch: ImageArch,
  packages: { kernel: DebianPackage; busybox: DebianPackage },
  work: string,
  output: string,
): Promise<void> {
  const root = await emptyDir(join(work, 'base'))
  for (const dir of [...ROOT_DIRECTORIES, ...MORE_DIRECTORIES, dirname(arch.libraryDir)]) {
    await mkdir(join(root, dir), { recursive: true })
  }
  await chmod(join(root, 'tmp'), 0o1777)
  await copyFile(await busyboxBinary(packages.busybox), join(root, 'bin/busybox'))
  await chmod(join(root, 'bin/busybox'), 0o755)
  for (const applet of APPLETS) await symlink('busybox', join(root, 'bin', applet))
  for (const [from, to] of Object.entries(INIT_FILES)) await cp(join(REPOSITORY, 'init', from), join(root, to))
  await linkAgent(root, arch)
  await copyModules(packages.kernel.tree, MODULES, root)
  await packZstdCpio(root, output, 19)
}

/** The programs and the loader by the paths that everyone expects; they resolve once agent.sqfs is mounted. */
async function linkAgent(root: string, arch: ImageArch): Promise<void> {
  const links: Record<string, string> = {
    'usr/local/bin/plasm-agent': '/opt/plasm/bin/plasm-agent',
    'usr/local/bin/plasmd': '/opt/plasm/bin/plasmd',
    'sbin/kexec': '/opt/plasm/bin/kexec',
    [arch.libraryDir]: '/opt/plasm/lib',
    [arch.interpreter.slice(1)]: `/opt/plasm/lib/${basename(arch.interpreter)}`,
  }
  for (const [path, target] of Object.entries(links)) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await symlink(target, join(root, path))
  }
}

export async function busyboxBinary(busybox: DebianPackage): Promise<string> {
  const merged = join(busybox.tree, 'usr/bin/busybox')
  return (await exists(merged)) ? merged : join(busybox.tree, 'bin/busybox')
}
