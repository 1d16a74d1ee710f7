import { execa } from 'execa'
import { EPOCH } from './files.ts'

/** 128 KiB: larger blocks are smaller by a tenth and slower to page in (measured under emulation). */
const BLOCK_SIZE = '128K'

/**
 * A directory as a squashfs with nothing of this host in it: sorted by mksquashfs, one time, no extended attributes.
 * @param owners `root`: all files are root's; `kept`: they are whose they are in the directory
 */
export async function makeSquashfs(root: string, output: string, owners: 'root' | 'kept' = 'root'): Promise<void> {
  const time = String(EPOCH)
  const fixed = ['-no-xattrs', '-noappend', '-all-time', time, '-mkfs-time', time]
  const compression = ['-comp', 'zstd', '-Xcompression-level', '19', '-b', BLOCK_SIZE]
  const owner = owners === 'root' ? ['-all-root'] : []
  // SOURCE_DATE_EPOCH in the environment and -mkfs-time exclude each other.
  const env = { SOURCE_DATE_EPOCH: undefined }
  await execa('mksquashfs', [root, output, ...fixed, ...owner, ...compression, '-quiet', '-no-progress'], { env })
}
