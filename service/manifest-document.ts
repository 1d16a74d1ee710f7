import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Arch } from './arch.ts'
import { CHUNK_BYTES } from './manifest.ts'

/** One artifact as it is about to be written into a manifest. */
export interface DescribedArtifact {
  readonly role: string
  readonly filename: string
  readonly sizeBytes: number
  readonly hash: string
  /** Hex digests of its {@link CHUNK_BYTES} pieces; left out where nobody computed them. */
  readonly chunks?: readonly string[]
}

export interface DescribedSet {
  readonly version: string
  readonly channel: string
  readonly arch: Arch
  readonly createdAt: Date
  readonly expiresAt: Date
  /** Left out of the document where there is none: a reader counts that as 0. */
  readonly sequence?: number
  readonly artifacts: readonly DescribedArtifact[]
}

/** The plain manifest (INTEROP) as compact JSON: shell clients grep it, and the same set must give the same bytes. Pure. */
export function manifestDocument(set: DescribedSet): Buffer {
  const artifacts = set.artifacts.map(({ role, filename, sizeBytes, hash, chunks }) => [
    role,
    {
      filename,
      size_bytes: sizeBytes,
      hash,
      download_url: `/${set.channel}/${set.arch}/${filename}`,
      ...(chunks ? { chunks: { size: CHUNK_BYTES, sha256: chunks } } : {}),
    },
  ])
  const document = {
    manifest_version: 1,
    version: set.version,
    channel: set.channel,
    arch: set.arch,
    created_at: rfc3339(set.createdAt),
    expires_at: rfc3339(set.expiresAt),
    ...(set.sequence === undefined ? {} : { sequence: set.sequence }),
    artifacts: Object.fromEntries(artifacts),
    signatures: [],
  }
  return Buffer.from(JSON.stringify(document))
}

/** Whole seconds: shell clients compare the text. */
function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

export interface FileDigests {
  readonly sizeBytes: number
  readonly hash: string
  readonly chunks: readonly string[]
}

/** Digest and chunk digests of a file, read once. */
export async function digestFile(handle: FileHandle): Promise<FileDigests> {
  const whole = createHash('sha256')
  const chunks: string[] = []
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  let sizeBytes = 0
  for (;;) {
    const chunk = await readFull(handle, buffer, sizeBytes)
    if (chunk.length === 0) break
    whole.update(chunk)
    chunks.push(createHash('sha256').update(chunk).digest('hex'))
    sizeBytes += chunk.length
  }
  return { sizeBytes, hash: `sha256:${whole.digest('hex')}`, chunks }
}

/** read(2) may return less than was asked for; only the last chunk may be short. */
async function readFull(handle: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, position + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return buffer.subarray(0, length)
}
