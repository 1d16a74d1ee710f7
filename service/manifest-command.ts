import { open, readFile, rename } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Arch, canonicalArch } from './arch.ts'
import { EXIT, PlasmError } from './errors.ts'
import { generateManifest } from './generate-manifest.ts'
import { MANIFEST_FILE, parseManifest, sha256Of } from './manifest.ts'

const DAY_MS = 24 * 3600 * 1000

interface GenerateOptions {
  readonly channel?: string
  readonly arch?: Arch
  readonly releaseVersion: string
  readonly sequence?: number
  readonly expiresDays: number
  readonly createdAt?: Date
}

/** `plasmd manifest generate DIR`: prints the manifest digest. @throws PlasmError `place-unknown` and those of generating */
export async function generateCommand(dir: string, options: GenerateOptions): Promise<number> {
  const path = resolve(dir)
  const createdAt = options.createdAt ?? sourceDate() ?? new Date()
  const bytes = await generateManifest(path, {
    channel: options.channel ?? basename(dirname(path)),
    arch: options.arch ?? archOf(path),
    version: options.releaseVersion,
    sequence: options.sequence ?? (await lastSequence(path)) + 1,
    createdAt,
    expiresAt: new Date(createdAt.getTime() + options.expiresDays * DAY_MS),
  })
  // What was just made must be what a client accepts.
  parseManifest(bytes)
  await writeWhole(join(path, MANIFEST_FILE), bytes)
  process.stdout.write(`${sha256Of(bytes)}\n`)
  return EXIT.ok
}

function archOf(path: string): Arch {
  const arch = canonicalArch(basename(path))
  if (arch) return arch
  throw new PlasmError('place-unknown', `${path} is not named after an architecture`, {
    facts: { directory: path },
    hint: 'name it with --arch, or lay the directory out as <channel>/<arch>',
  })
}

async function lastSequence(dir: string): Promise<number> {
  const bytes = await readFile(join(dir, MANIFEST_FILE)).catch(() => undefined)
  return bytes ? parseManifest(bytes).sequence : 0
}

/** reproducible-builds.org: SOURCE_DATE_EPOCH, seconds. */
function sourceDate(): Date | undefined {
  const seconds = process.env.SOURCE_DATE_EPOCH
  return seconds && /^\d+$/.test(seconds) ? new Date(Number(seconds) * 1000) : undefined
}

/** Readers see the old file or the new one. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.part`
  const file = await open(part, 'w', 0o644)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(part, path)
}
