import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, link, mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** The checkout, and where everything that is built goes. */
export const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
export const BUILD = new URL('../build/', import.meta.url).pathname

/** Every time in an image is this one (2026-01-01), unless SOURCE_DATE_EPOCH says otherwise (reproducible-builds.org). */
export const EPOCH = Number(process.env.SOURCE_DATE_EPOCH ?? 1_767_225_600)

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** Makes a directory that is there and empty. */
export async function emptyDir(path: string): Promise<string> {
  await rm(path, { recursive: true, force: true })
  await mkdir(path, { recursive: true })
  return path
}

/** Copies a program to where it can be run, mode 0755. */
export async function placeProgram(from: string, to: string): Promise<void> {
  await copyFile(from, to)
  await chmod(to, 0o755)
}

/** Lower-case hex, streamed. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(part as Buffer)
  return hash.digest('hex')
}

/** Writes a file whose time is {@link EPOCH}. */
export async function writeAtEpoch(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await writeFile(path, content, { mode })
  await utimes(path, EPOCH, EPOCH)
}

/** A second name for a file, or a copy where that is another filesystem. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to))
}

/** One line on stderr: stdout belongs to results. */
export function progress(text: string): void {
  process.stderr.write(`images: ${text}\n`)
}
