import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { EPOCH, emptyDir, placeProgram, progress } from './files.ts'
import { type ForeignPlasmd, placePlasmd } from './foreign-plasmd.ts'

/** 128 KiB: larger blocks are smaller by a tenth and slower to page in (measured under emulation). */
const BLOCK_SIZE = '128K'

/** agent.sqfs: the executable under both its names (or beside a foreign plasmd), kexec, and the shared libraries of both, flat in lib/. */
export async function buildAgentSquashfs(
  contents: {
    readonly executable: string
    readonly plasmd: ForeignPlasmd | undefined
    readonly kexec: string
    readonly libraries: ReadonlyMap<string, string>
  },
  work: string,
  output: string,
): Promise<void> {
  const root = await emptyDir(join(work, 'agent'))
  await mkdir(join(root, 'bin'))
  await mkdir(join(root, 'lib'))
  const place = (from: string, to: string) => placeProgram(from, join(root, to))
  await place(contents.executable, 'bin/plasm-agent')
  await placePlasmd(join(root, 'bin'), contents.plasmd)
  await place(contents.kexec, 'bin/kexec')
  for (const [soname, file] of contents.libraries) await place(file, join('lib', soname))
  progress('compressing the executable')
  const time = String(EPOCH)
  const fixed = ['-all-root', '-no-xattrs', '-noappend', '-all-time', time, '-mkfs-time', time]
  const compression = ['-comp', 'zstd', '-Xcompression-level', '19', '-b', BLOCK_SIZE]
  // SOURCE_DATE_EPOCH in the environment and -mkfs-time exclude each other.
  const env = { SOURCE_DATE_EPOCH: undefined }
  await execa('mksquashfs', [root, output, ...fixed, ...compression, '-quiet', '-no-progress'], { env })
}
