import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { syncFile } from './sync-file.ts'

/** What others may read, and what only the agent may. */
export const PUBLIC_FILE = 0o644
export const PRIVATE_FILE = 0o600

/** Makes a directory entry durable: rename(2) alone may be undone by a power loss. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Creates a directory (0755, less what the umask takes) with its parents; what is new outlives a power cut. Node's own `recursive`
 * calls a read-only filesystem ENOENT.
 */
export async function ensureDirectory(dir: string): Promise<void> {
  try {
    await makeDirectory(dir)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(dir) === dir) throw thrown
    await ensureDirectory(dirname(dir))
    await makeDirectory(dir)
  }
}

async function makeDirectory(dir: string): Promise<void> {
  try {
    await mkdir(dir, { mode: 0o755 })
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return
    throw thrown
  }
  await syncDirectory(dirname(dir))
}

/** Creates a file that was not there: what lies under its name, a planted link for one, is neither followed nor written to. */
export function createFile(file: string, mode: number): Promise<FileHandle> {
  return open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode)
}

/** Writes a small file whole or not at all: a reader sees the old one or the new one. */
export async function writeWhole(file: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const temporary = `${file}.new`
  await rm(temporary, { force: true })
  try {
    const handle = await createFile(temporary, mode)
    try {
      await handle.writeFile(bytes)
      await syncFile(handle)
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => {})
    throw thrown
  }
  await syncDirectory(dirname(file))
}

/**
 * Opens a regular file for reading and follows no link in its last component.
 * @returns undefined when there is no such file
 * @throws PlasmError `not-a-file` (facts: `file`)
 */
export async function openRegular(file: string): Promise<FileHandle | undefined> {
  const refused = (cause?: unknown) =>
    new PlasmError('not-a-file', `${file} is not a regular file`, { facts: { file }, cause })
  try {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    if ((await handle.stat()).isFile()) return handle
    await handle.close()
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP') throw refused(thrown)
    throw thrown
  }
  throw refused()
}

/** Reads a small regular file whole. @returns undefined when there is none @throws PlasmError `not-a-file` | `file-too-large` */
export async function readRegular(file: string, maxBytes: number): Promise<Buffer | undefined> {
  const handle = await openRegular(file)
  if (!handle) return undefined
  try {
    const { size } = await handle.stat()
    if (size > maxBytes) {
      throw new PlasmError('file-too-large', `${file} is ${size} bytes, ${maxBytes} at most`, {
        facts: { file, bytes: size, limit: maxBytes },
      })
    }
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}
