import { execa } from 'execa'
import type { Arch } from '../service/arch.ts'
import { asRoot } from './as-root.ts'
import { EPOCH } from './files.ts'

/** zstd's: the last third of the time saves some hundredths of the size. */
const LEVEL = '15'
/** 128 KiB: larger blocks are smaller by a tenth and slower to page in (measured under emulation). */
const BLOCK_SIZE = '128K'

/**
 * A directory as a squashfs with nothing of this host in it: sorted by mksquashfs, one time, no extended attributes.
 * @param owners `root`: all files are root's; `keptOf`: they are whose they are in the directory, the tree of a system of that
 * architecture, which as-root.ts made
 */
export async function makeSquashfs(
  root: string,
  output: string,
  owners: 'root' | { readonly keptOf: Arch } = 'root',
): Promise<void> {
  const time = String(EPOCH)
  const fixed = ['-no-xattrs', '-noappend', '-all-time', time, '-mkfs-time', time]
  const compression = ['-comp', 'zstd', '-Xcompression-level', LEVEL, '-b', BLOCK_SIZE]
  // SOURCE_DATE_EPOCH in the environment and -mkfs-time exclude each other.
  const env = { SOURCE_DATE_EPOCH: undefined }
  const words = ['mksquashfs', root, output, ...fixed, ...compression, '-quiet', '-no-progress']
  if (owners !== 'root') return asRoot(owners.keptOf, words, { env })
  const [program, ...rest] = words
  await execa(program!, [...rest, '-all-root'], { env })
}
