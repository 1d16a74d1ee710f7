import { type FileHandle, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import type { SeenReleases } from '../service/freshness.ts'
import { artifactsOf, MANIFEST_FILE, type ManifestArtifact } from '../service/manifest.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { Expected } from './adopt.ts'
import { copyIntoStore } from './copy-set.ts'
import { readManifestIn } from './manifest-file.ts'
import type { StoredSet } from './publish.ts'
import { openRegular } from './store-files.ts'
import { type VerifiedManifest, verify } from './verify.ts'

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
 * `expected`, `found`) | what verify and copyIntoStore throw
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
  const from = {
    open: (artifact: Artifact) => openAtSize(candidates(dir, artifact), artifact),
    differs: mismatch,
  }
  return { outcome: 'taken', set: await copyIntoStore(store.root, verified, from) }
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

async function openAtSize(paths: readonly string[], artifact: Artifact): Promise<FileHandle> {
  for (const path of paths) {
    const handle = await openRegular(path)
    if (handle && (await handle.stat()).size === artifact.size_bytes) return handle
    await handle?.close()
  }
  throw mismatch(artifact, 'a file of another size')
}

function mismatch({ role, hash }: Artifact, found: string): PlasmError {
  return new PlasmError('inbox-mismatch', `the ${role} in the inbox is not what its manifest says`, {
    facts: { artifact: role, expected: hash, found },
    hint: 'it may still be written to; it is looked at again when it changes',
  })
}
