import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Arch, canonicalArch } from './arch.ts'
import { rolesOf } from './artifact-names.ts'
import { payloadOf } from './derived-manifest.ts'
import { ENVELOPE_FILE, MANIFEST_PAYLOAD_TYPE, parseEnvelope } from './dsse.ts'
import { PlasmError } from './errors.ts'
import { CHANNEL, MANIFEST_FILE, parseManifest } from './manifest.ts'
import { type DescribedArtifact, digestFile, manifestDocument } from './manifest-document.ts'

const DAY_MS = 24 * 3600 * 1000
const EXPIRES_AFTER_DAYS = 365
/** What no machine boots without. */
const NEEDED = ['kernel', 'initramfs'] as const

export interface Release {
  readonly channel: string
  readonly arch: Arch
  readonly version: string
  /** Rises with every release of a channel. */
  readonly sequence: number
  /** Now where absent; given, the same files make the same bytes. */
  readonly createdAt?: Date
  /** A year after `createdAt` where absent. */
  readonly expiresAt?: Date
}

/**
 * Makes the plain manifest of the artifacts in a directory, with chunk digests.
 * @returns compact JSON, not written anywhere
 * @throws PlasmError `artifacts-missing` (facts: `dir`, `role`) | `artifacts-ambiguous` (facts: `role`, `files`) | `manifest-invalid`
 */
export async function generateManifest(dir: string, release: Release): Promise<Uint8Array> {
  const { files, ambiguous } = rolesOf(await readDirectory(dir))
  for (const [role, names] of ambiguous) {
    throw new PlasmError('artifacts-ambiguous', `several files could be the ${role}: ${names.join(', ')}`, {
      facts: { dir, role, files: names },
      hint: `leave one of them, or name one "${role}"`,
    })
  }
  const missing = NEEDED.find((role) => !files.has(role))
  if (missing) {
    throw new PlasmError('artifacts-missing', `there is no ${missing} in ${dir}`, {
      facts: { dir, role: missing },
      hint: `put a file there that is named ${missing}, or as a distribution names it (vmlinuz-…, initrd.img-…)`,
    })
  }
  const artifacts: DescribedArtifact[] = []
  for (const [role, filename] of files) {
    const handle = await open(join(dir, filename))
    try {
      artifacts.push({ role, filename, ...(await digestFile(handle)) })
    } finally {
      await handle.close()
    }
  }
  const createdAt = release.createdAt ?? new Date()
  const expiresAt = release.expiresAt ?? new Date(createdAt.getTime() + EXPIRES_AFTER_DAYS * DAY_MS)
  const bytes = manifestDocument({ ...release, createdAt, expiresAt, artifacts })
  // What a client would refuse must not be published: names, sizes, kernel and initramfs are checked by the client's own rules.
  parseManifest(bytes)
  return bytes
}

async function readDirectory(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (cause) {
    throw new PlasmError('artifacts-missing', `there is no readable directory ${dir}`, { facts: { dir }, cause })
  }
}

/** Writes DIR/manifest.json, or another document beside it, so that a reader sees the old one or the new one, and power loss leaves one of them. */
export async function writeManifestFile(dir: string, bytes: Uint8Array, name: string = MANIFEST_FILE): Promise<void> {
  const partial = join(dir, `.${name}.${process.pid}.tmp`)
  try {
    const handle = await open(partial, 'w', 0o644)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(partial, join(dir, name))
  } catch (thrown) {
    await rm(partial, { force: true })
    throw thrown
  }
  const directory = await open(dir)
  await directory.sync().finally(() => directory.close())
}

/**
 * Removes an envelope that is about another manifest than this one: it would be served beside artifacts that it does not
 * describe. @returns whether there was one
 */
export async function removeOldEnvelope(dir: string, plain: Uint8Array): Promise<boolean> {
  const file = join(dir, ENVELOPE_FILE)
  const bytes = await readFile(file).catch(() => undefined)
  if (!bytes || isAbout(bytes, payloadOf(plain))) return false
  await rm(file)
  return true
}

function isAbout(envelope: Uint8Array, payload: Buffer): boolean {
  try {
    return parseEnvelope(envelope, MANIFEST_PAYLOAD_TYPE).payload.equals(payload)
  } catch {
    return false
  }
}

/** One more than the manifest that is there already, or 1. */
export async function nextSequence(dir: string): Promise<number> {
  const bytes = await readFile(join(dir, MANIFEST_FILE)).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return undefined
    throw thrown
  })
  return bytes === undefined ? 1 : parseManifest(bytes).sequence + 1
}

/** Channel and arch as the last two components of a path say (INTEROP: directory layout), each undefined where they do not. */
export function placeOf(dir: string): { readonly channel: string | undefined; readonly arch: Arch | undefined } {
  const path = resolve(dir)
  const channel = basename(dirname(path))
  return { channel: CHANNEL.test(channel) ? channel : undefined, arch: canonicalArch(basename(path)) }
}
