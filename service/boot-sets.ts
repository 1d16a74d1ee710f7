import { readdir } from 'node:fs/promises'
import { type Arch, archNames, canonicalArch } from './arch.ts'
import { isServable, rolesOf } from './artifact-names.ts'
import { derivedManifest } from './derived-manifest.ts'
import { ENVELOPE_FILE, ENVELOPE_MAX_BYTES, MANIFEST_PAYLOAD_TYPE, parseEnvelope } from './dsse.ts'
import {
  CHANNEL,
  MANIFEST_FILE,
  MANIFEST_MAX_BYTES,
  type Manifest,
  parseManifest,
  parsePayload,
  sha256Of,
} from './manifest.ts'
import { type OpenFile, openInside, resolveInside } from './open-inside.ts'

/** Where one channel and arch is served from: a real directory, so that a link swapped meanwhile does not mix two sets. */
export interface SetDirectory {
  readonly channel: string
  readonly arch: Arch
  readonly path: string
}

/** A manifest that lies in a set's directory. `manifest` is null where it is not a valid one; it is handed on all the same. */
export interface StoredManifest {
  /** What is served as manifest.json. */
  readonly bytes: Buffer
  /** The manifest digest: of the payload where the set is signed. */
  readonly digest: string
  readonly manifest: Manifest | null
}

/** The directory of a channel and arch under any of the arch's names, or undefined. */
export async function findSet(root: string, channel: string, arch: Arch): Promise<SetDirectory | undefined> {
  for (const name of archNames(arch)) {
    const path = await resolveInside(root, channel, name)
    if (path !== undefined) return { channel, arch, path }
  }
  return undefined
}

/** All that is served under the root, by channel and arch. A root that cannot be read serves nothing. */
export async function listSets(root: string): Promise<readonly SetDirectory[]> {
  const sets: SetDirectory[] = []
  for (const channel of await names(root)) {
    const realChannel = CHANNEL.test(channel) ? await resolveInside(root, channel) : undefined
    if (realChannel === undefined) continue
    const arches = new Set((await names(realChannel)).map(canonicalArch).filter((arch) => arch !== undefined))
    for (const arch of [...arches].sort()) {
      const set = await findSet(root, channel, arch)
      if (set && isBootSet(await listFiles(set))) sets.push(set)
    }
  }
  return sets
}

/** Whether a client could boot from what lies there. */
function isBootSet(files: readonly string[]): boolean {
  const roles = rolesOf(files).files
  return (
    files.includes(MANIFEST_FILE) || files.includes(ENVELOPE_FILE) || (roles.has('kernel') && roles.has('initramfs'))
  )
}

/** Names in a set's directory that may be served, sorted. */
export async function listFiles(set: SetDirectory): Promise<readonly string[]> {
  return (await names(set.path)).filter(isServable).sort()
}

async function names(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => [])
}

/**
 * Opens a file of a set by its name, or by its role (INTEROP: file aliases) where no file has that name.
 * @param root what the file must not leave
 */
export async function openArtifact(root: string, set: SetDirectory, name: string): Promise<OpenFile | undefined> {
  const file = await openInside(root, set.path, name)
  if (file) return file
  const stored = await readManifest(root, set)
  const filename = stored?.manifest?.artifacts[name]?.filename ?? rolesOf(await listFiles(set)).files.get(name)
  return filename === undefined || filename === name ? undefined : openInside(root, set.path, filename)
}

/** Reads a document of a set whole, or undefined where there is none. */
export async function readDocument(root: string, set: SetDirectory, name: string): Promise<Buffer | undefined> {
  const file = await openInside(root, set.path, name)
  if (!file) return undefined
  try {
    if (file.size > (name === ENVELOPE_FILE ? ENVELOPE_MAX_BYTES : MANIFEST_MAX_BYTES)) return undefined
    return await file.handle.readFile()
  } finally {
    await file.handle.close()
  }
}

/** The manifest of a set: what its envelope says where it has one, else manifest.json. Signatures are for clients to verify. */
export async function readManifest(root: string, set: SetDirectory): Promise<StoredManifest | undefined> {
  const [envelope, plain] = await Promise.all([
    readDocument(root, set, ENVELOPE_FILE),
    readDocument(root, set, MANIFEST_FILE),
  ])
  const payload = envelope && payloadIn(envelope)
  if (payload) {
    return { bytes: plain ?? derivedManifest(payload), digest: sha256Of(payload), manifest: valid(payload) }
  }
  return plain && { bytes: plain, digest: sha256Of(plain), manifest: valid(plain) }
}

/** Undefined where a client would find no signed manifest in it. */
function payloadIn(envelope: Uint8Array): Buffer | undefined {
  try {
    const { payload } = parseEnvelope(envelope, MANIFEST_PAYLOAD_TYPE)
    parsePayload(payload)
    return payload
  } catch {
    return undefined
  }
}

function valid(bytes: Uint8Array): Manifest | null {
  try {
    return parseManifest(bytes)
  } catch {
    return null
  }
}
