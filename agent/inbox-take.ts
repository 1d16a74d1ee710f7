import { createHash } from 'node:crypto'
import { type FileHandle, lstat, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import type { SeenReleases } from '../service/freshness.ts'
import { artifactsOf, MANIFEST_FILE, type ManifestArtifact, setBytes } from '../service/manifest.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { Expected } from './adopt.ts'
import { readManifestIn } from './manifest-file.ts'
import { incomingDirectory, publish, type StoredSet } from './publish.ts'
import { ensureDirectory, openRegular, PUBLIC_FILE, syncDirectory } from './store-files.ts'
import { type VerifiedManifest, verify } from './verify.ts'

const COPY_BYTES = 1024 * 1024
/** Left free on the store's filesystem, which in a guest is RAM. */
const RESERVE_BYTES = 4 * 1024 * 1024

type Artifact = ManifestArtifact & { readonly role: string }

export type Intake =
  /** Nothing there, or not all of it yet. */
  | { readonly outcome: 'incomplete'; readonly missing: string }
  /** Whole, and not wanted. */
  | { readonly outcome: 'ignored'; readonly reason: string }
  | { readonly outcome: 'taken'; readonly set: StoredSet }

export interface Store {
  readonly root: string
  readonly policy: TrustPolicy
  readonly expected: Expected
  /** What this machine remembers of the releases it used, as it is now. */
  readonly seen: () => Promise<SeenReleases>
}

/**
 * Takes a boot set that another program fetched into the store (DESIGN decision 8). It is copied while it is hashed, never
 * renamed, since its writer may still hold the files open; whatever fails, inbox and store are as they were.
 * @param served what the store serves now
 * @throws PlasmError `inbox-unsafe` (facts: `dir`) | `inbox-no-manifest` (`dir`) | `inbox-mismatch` (`artifact`,
 * `expected`, `found`) | `store-full` (`needBytes`, `freeBytes`) | what verify throws
 */
export async function takeIn(dir: string, store: Store, served: StoredSet | undefined): Promise<Intake> {
  const found = await lstat(dir).catch(() => undefined)
  if (!found) return { outcome: 'incomplete', missing: 'the inbox' }
  refuseUnsafe(dir, found)
  const raw = await readManifestIn(dir)
  if (!raw) return withoutManifest(dir)
  const verified = verify(raw, store.policy, store.expected, { seen: await store.seen() })
  const unwanted = served && reasonToIgnore(verified, served.verified)
  if (unwanted) return { outcome: 'ignored', reason: unwanted }
  const artifacts = artifactsOf(verified.manifest)
  const missing = await firstIncomplete(dir, artifacts)
  if (missing) return { outcome: 'incomplete', missing }
  await refuseWithoutRoom(store.root, setBytes(verified.manifest))
  const incoming = incomingDirectory(store.root)
  try {
    await ensureDirectory(incoming)
    for (const artifact of artifacts) await copy(dir, incoming, artifact)
    await syncDirectory(incoming)
    return { outcome: 'taken', set: await publish(store.root, incoming, verified) }
  } catch (thrown) {
    await rm(incoming, { recursive: true, force: true })
    // Room was there when it was looked at: another writer took it, or the filesystem ran out of inodes.
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown
    throw storeFull(store.root, setBytes(verified.manifest), await freeBytesOf(store.root), thrown)
  }
}

/** Others must not be able to change what is read, between one look and the next. */
function refuseUnsafe(dir: string, found: { uid: number; mode: number; isDirectory(): boolean }): void {
  const othersMayWrite = (found.mode & 0o022) !== 0
  if (found.isDirectory() && found.uid === process.getuid?.() && !othersMayWrite) return
  const problem = !found.isDirectory()
    ? 'is not a directory'
    : othersMayWrite
      ? 'may be written to by others'
      : 'belongs to another user'
  throw new PlasmError('inbox-unsafe', `${dir} ${problem}; nothing is taken from it`, {
    facts: { dir, uid: found.uid, mode: (found.mode & 0o7777).toString(8) },
    hint: `make ${dir} a directory of root with mode 0700`,
  })
}

async function withoutManifest(dir: string): Promise<Intake> {
  const names = ['kernel', 'initramfs']
  const sizes = await Promise.all(names.map((name) => sizeOf(join(dir, name))))
  if (sizes.every((size) => size === undefined)) return { outcome: 'incomplete', missing: MANIFEST_FILE }
  throw new PlasmError(
    'inbox-no-manifest',
    `${dir} has artifacts and no ${MANIFEST_FILE}; nothing proves what they are`,
    {
      facts: { dir },
      hint: `leave the provider's ${MANIFEST_FILE} beside the artifacts`,
    },
  )
}

function reasonToIgnore(offered: VerifiedManifest, served: VerifiedManifest): string | undefined {
  if (offered.digest === served.digest) return 'it is the set that is served'
  const [there, here] = [offered.manifest.sequence, served.manifest.sequence]
  return there > here ? undefined : `its sequence ${there} is not above ${here}, which is served`
}

/** A file may lie under its own name or under its role, as the initramfs scripts of Phase Boot leave it. */
const candidates = (dir: string, { filename, role }: Artifact) => [join(dir, filename), join(dir, role)]

async function firstIncomplete(dir: string, artifacts: readonly Artifact[]): Promise<string | undefined> {
  for (const artifact of artifacts) {
    const sizes = await Promise.all(candidates(dir, artifact).map(sizeOf))
    if (!sizes.includes(artifact.size_bytes)) return artifact.filename
  }
  return undefined
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}

async function refuseWithoutRoom(root: string, needBytes: number): Promise<void> {
  const freeBytes = await freeBytesOf(root)
  if (freeBytes < needBytes + RESERVE_BYTES) throw storeFull(root, needBytes, freeBytes)
}

async function freeBytesOf(root: string): Promise<number> {
  const { bavail, bsize } = await statfs(root)
  return bavail * bsize
}

function storeFull(root: string, needBytes: number, freeBytes: number, cause?: unknown): PlasmError {
  return new PlasmError('store-full', `${root} has no room for a set of ${needBytes} bytes`, {
    facts: { store: root, needBytes, freeBytes },
    hint: 'free space on that filesystem (in a guest: give it more memory); what is served stays as it is',
    cause,
  })
}

async function copy(from: string, to: string, artifact: Artifact): Promise<void> {
  const source = await openAtSize(candidates(from, artifact), artifact)
  try {
    const target = await open(join(to, artifact.filename), 'wx', PUBLIC_FILE)
    try {
      await copyHashed(source, target, artifact)
      await target.sync()
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function openAtSize(paths: readonly string[], artifact: Artifact): Promise<FileHandle> {
  for (const path of paths) {
    const handle = await openRegular(path)
    if (handle && (await handle.stat()).size === artifact.size_bytes) return handle
    await handle?.close()
  }
  throw mismatch(artifact, 'a file of another size')
}

async function copyHashed(source: FileHandle, target: FileHandle, artifact: Artifact): Promise<void> {
  const whole = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, artifact.size_bytes))
  let position = 0
  while (position < artifact.size_bytes) {
    const { bytesRead } = await source.read(
      buffer,
      0,
      Math.min(buffer.length, artifact.size_bytes - position),
      position,
    )
    if (bytesRead === 0) throw mismatch(artifact, `${position} bytes`)
    const data = buffer.subarray(0, bytesRead)
    whole.update(data)
    // writeFile on a handle goes on from its position and repeats short writes.
    await target.writeFile(data)
    position += bytesRead
  }
  const found = `sha256:${whole.digest('hex')}`
  if (found !== artifact.hash) throw mismatch(artifact, found)
}

function mismatch({ role, hash }: Artifact, found: string): PlasmError {
  return new PlasmError('inbox-mismatch', `the ${role} in the inbox is not what its manifest says`, {
    facts: { artifact: role, expected: hash, found },
    hint: 'it may still be written to; it is looked at again when it changes',
  })
}
