import { chmod, lstat, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { ENVELOPE_FILE } from '../service/dsse.ts'
import { PlasmError } from '../service/errors.ts'
import { artifactsOf, MANIFEST_FILE } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import { HANDOVER } from './handover-layout.ts'
import { ifThere } from './if-there.ts'
import { readManifestIn } from './manifest-file.ts'
import { exists, incomingDirectory, linkedSet, publish, removeLeftovers, type StoredSet } from './publish.ts'
import { keepRecord } from './record-file.ts'
import { onStore } from './store-errors.ts'
import { ensureDirectory, PUBLIC_FILE, syncDirectory } from './store-files.ts'
import { checkSet, checkStore } from './store-safety.ts'
import { type Situation, type VerifiedManifest, verify } from './verify.ts'

export interface Expected {
  readonly channel: string
  readonly arch: Arch
}

/**
 * The set that this machine serves: what kexec handed over, else what the store holds already. The artifacts' bytes are
 * not read here; the self-check proves them (DESIGN decision 9).
 * @throws PlasmError `nothing-to-serve` | `handover-incomplete` (facts: `artifact`, `expected`, `found`) | `store-unsafe` | what
 * verify throws | of store-errors.ts
 */
export async function adopt(
  root: string,
  policy: TrustPolicy,
  expected: Expected,
  situation: Situation = {},
): Promise<StoredSet> {
  await checkStore(root, expected.channel)
  const set = await onStore(
    root,
    async () =>
      (await adoptHandover(root, policy, expected, situation)) ?? (await currentSet(root, policy, expected, situation)),
  )
  if (set) return set
  throw new PlasmError('nothing-to-serve', `nothing was handed over and ${root} holds no set for ${place(expected)}`, {
    facts: { store: root, channel: expected.channel, arch: expected.arch },
    hint: 'put a manifest and its artifacts into an inbox, or boot this machine through plasm-agent boot',
  })
}

/** The set that a channel and arch point to, or undefined. @throws PlasmError `store-unsafe` | what verify throws */
export async function currentSet(
  root: string,
  policy: TrustPolicy,
  expected: Expected,
  situation: Situation = {},
): Promise<StoredSet | undefined> {
  const paths = storePaths(root)
  const link = paths.link(expected.channel, expected.arch)
  const dir = await linkedSet(link)
  if (dir === undefined || dirname(dir) !== paths.sets) return undefined
  await checkSet(dir, [ENVELOPE_FILE, MANIFEST_FILE])
  const raw = await readManifestIn(dir)
  if (!raw) return undefined
  const verified = verify(raw, policy, expected, situation)
  await checkSet(
    dir,
    artifactsOf(verified.manifest).map(({ filename }) => filename),
  )
  return { verified, dir }
}

/**
 * Moves what kexec handed over into the store. Every file is renamed, never copied: they are RAM, and init has the
 * initramfs among them loop-mounted. An agent that was killed half way goes on where it stopped: the manifest stays in the
 * handover directory until the set is published.
 */
async function adoptHandover(
  root: string,
  policy: TrustPolicy,
  expected: Expected,
  situation: Situation,
): Promise<StoredSet | undefined> {
  const paths = storePaths(root)
  const raw = await readManifestIn(paths.handover)
  if (!raw) {
    await removeLeftovers(root)
    return undefined
  }
  const verified = verify(raw, policy, expected, situation)
  const home = paths.set(verified.digest)
  const incoming = incomingDirectory(root, basename(home))
  await removeLeftovers(root, incoming)
  const dir = (await exists(home)) ? home : incoming
  await moveArtifacts(paths.handover, dir, verified)
  const set = await publish(root, dir, verified)
  await keepRecord(root, join(paths.handover, HANDOVER.record))
  await rm(raw.from)
  return set
}

async function moveArtifacts(from: string, to: string, { manifest }: VerifiedManifest): Promise<void> {
  await ensureDirectory(to)
  await checkSet(to, [])
  const moves = artifactsOf(manifest).map(({ role, filename, size_bytes }) => ({
    role,
    size: size_bytes,
    source: join(from, role),
    target: join(to, filename),
  }))
  // All are looked at before the first is moved, so that a broken handover stays as it came.
  for (const move of moves) await checkSize(move)
  for (const { source, target } of moves) {
    const found = await ifThere(lstat(source))
    if (!found) continue
    // A set that crossed kexec on the disk lies where it belongs already.
    if (found.isSymbolicLink()) {
      await rm(source)
      continue
    }
    await chmod(source, PUBLIC_FILE)
    await rename(source, target)
  }
  await syncDirectory(to)
}

async function checkSize(move: { role: string; size: number; source: string; target: string }): Promise<void> {
  const found = (await sizeOf(move.source)) ?? (await sizeOf(move.target))
  if (found === move.size) return
  throw new PlasmError(
    'handover-incomplete',
    `the handed-over ${move.role} is ${found ?? 'not there'}, not ${move.size} bytes`,
    {
      facts: { artifact: move.role, expected: move.size, found: found ?? null },
      hint: 'the new initrd was cut short: free memory, or look at the fetch stage of this boot',
    },
  )
}

/** Size of a regular file; a link or a directory counts as no file. */
async function sizeOf(path: string): Promise<number | undefined> {
  const stat = await lstat(path).catch(() => undefined)
  return stat?.isFile() ? stat.size : undefined
}

const place = ({ channel, arch }: Expected) => `${channel}/${arch}`
