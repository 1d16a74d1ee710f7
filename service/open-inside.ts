import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { isServable } from './artifact-names.ts'

/** An open file that was inside the root when it was opened. The bytes are this file's, whatever the path names later. */
export interface OpenFile {
  readonly handle: FileHandle
  readonly size: number
  /** Device and inode: which file. */
  readonly inode: string
  /** Changes whenever the content may have changed: device, inode, size, mtime and ctime in ns. */
  readonly identity: string
  readonly mtimeMs: number
  readonly ctimeMs: number
}

/** Not there, or not ours to hand out: to a client these are one. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'EISDIR', 'ENAMETOOLONG', 'ENXIO', 'EINVAL'])
const DIGEST_DIR = /^[0-9a-f]{64}$/

/**
 * Whether a resolved path lies inside a resolved root, and is neither hidden nor unfinished. `.sets/<digest>` is the one hidden
 * way, which the store's own links take (store-layout.ts); a set that is still being written is beside it, not in it.
 */
export function isInside(root: string, path: string): boolean {
  const between = relative(root, path)
  if (between === '') return true
  const parts = between.split(sep)
  const shown = parts[0] === '.sets' && DIGEST_DIR.test(parts[1] ?? '') ? parts.slice(2) : parts
  return shown.every((part) => isServable(part))
}

/** The real path of a directory or file under the root, or undefined where there is none or it leaves the root. */
export async function resolveInside(root: string, ...parts: string[]): Promise<string | undefined> {
  return absentAsUndefined(async () => {
    const [realRoot, path] = await Promise.all([realpath(root), realpath(join(root, ...parts))])
    return isInside(realRoot, path) ? path : undefined
  })
}

/**
 * Opens a regular file for reading; links are followed as long as they stay inside the root.
 * @param dir a directory under the root, as {@link resolveInside} gave it
 * @returns undefined where there is none that may be served
 */
export async function openInside(root: string, dir: string, name: string): Promise<OpenFile | undefined> {
  return absentAsUndefined(async () => {
    const [realRoot, path] = await Promise.all([realpath(root), realpath(join(dir, name))])
    if (!isInside(realRoot, path)) return undefined
    // Non-blocking: opening a FIFO would wait for its writer. No link: the path was resolved just now.
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const file = await describe(handle, realRoot).catch(async (thrown) => {
      await handle.close()
      throw thrown
    })
    if (!file) await handle.close()
    return file
  })
}

async function describe(handle: FileHandle, realRoot: string): Promise<OpenFile | undefined> {
  const stat = await handle.stat({ bigint: true })
  if (!stat.isFile() || !(await stillInside(handle, realRoot))) return undefined
  const { dev, ino, size, mtimeNs, ctimeNs } = stat
  return {
    handle,
    size: Number(size),
    inode: `${dev}:${ino}`,
    identity: [dev, ino, size, mtimeNs, ctimeNs].join(':'),
    mtimeMs: Number(mtimeNs / 1_000_000n),
    ctimeMs: Number(ctimeNs / 1_000_000n),
  }
}

/** A directory on the way could have become a link between resolving and opening: Linux tells what was opened. */
async function stillInside(handle: FileHandle, realRoot: string): Promise<boolean> {
  const opened = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => undefined)
  if (opened === undefined) return true
  return isInside(realRoot, opened.replace(/ \(deleted\)$/, ''))
}

async function absentAsUndefined<T>(work: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await work()
  } catch (thrown) {
    if (ABSENT.has((thrown as NodeJS.ErrnoException).code ?? '')) return undefined
    throw thrown
  }
}
