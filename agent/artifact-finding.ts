import { createHash } from 'node:crypto'
import type { ManifestArtifact } from '../service/manifest.ts'

/** What was found of one artifact, beside what the manifest says. */
export interface ArtifactFinding {
  readonly artifact: string
  readonly filename: string
  /** null: it is what the manifest says. */
  readonly problem: 'missing' | 'unreadable' | 'size' | 'digest' | null
  readonly expected: string
  readonly expectedBytes: number
  /** null where it could not be read to its end. */
  readonly found: string | null
  readonly foundBytes: number | null
  /** Number of the first chunk that differs, from 0, where the manifest has chunks: where in the file to look. */
  readonly firstWrongChunk: number | null
  /** Why it could not be read. */
  readonly detail: string | null
}

/** Digests an artifact's bytes as they come, in order. */
export interface ArtifactDigest {
  push(data: Uint8Array): void
  finding(): ArtifactFinding
}

export function digestArtifact(artifact: ManifestArtifact & { readonly role: string }): ArtifactDigest {
  const { chunks, hash, size_bytes: size } = artifact
  const whole = createHash('sha256')
  let bytes = 0
  let chunk = createHash('sha256')
  let inChunk = 0
  let index = 0
  let firstWrongChunk: number | null = null
  const endChunk = () => {
    if (inChunk > 0 && chunk.digest('hex') !== chunks?.sha256[index]) firstWrongChunk ??= index
    chunk = createHash('sha256')
    inChunk = 0
    index += 1
  }
  return {
    push(data) {
      whole.update(data)
      bytes += data.length
      if (!chunks) return
      for (let at = 0; at < data.length; ) {
        const part = data.subarray(at, at + chunks.size - inChunk)
        chunk.update(part)
        inChunk += part.length
        at += part.length
        if (inChunk === chunks.size) endChunk()
      }
    },
    finding() {
      if (chunks) endChunk()
      const found = `sha256:${whole.digest('hex')}`
      const problem = bytes !== size ? 'size' : found !== hash ? 'digest' : null
      return { ...about(artifact), problem, found, foundBytes: bytes, firstWrongChunk, detail: null }
    },
  }
}

/** An artifact that could not be read. */
export function unread(
  artifact: ManifestArtifact & { readonly role: string },
  problem: 'missing' | 'unreadable',
  detail: string,
): ArtifactFinding {
  return { ...about(artifact), problem, found: null, foundBytes: null, firstWrongChunk: null, detail }
}

function about({ role, filename, hash, size_bytes }: ManifestArtifact & { readonly role: string }) {
  return { artifact: role, filename, expected: hash, expectedBytes: size_bytes }
}
