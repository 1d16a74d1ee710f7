import { createHash } from 'node:crypto'
import { PlasmError } from '../service/errors.ts'
import type { ManifestArtifact } from '../service/manifest.ts'

/** Block in which an artifact without chunks is written. */
const BLOCK_BYTES = 1024 * 1024

/**
 * Takes an artifact's bytes in order and hands on whole blocks. With chunks in the manifest a block is a chunk, and it is
 * handed on only when its digest is right; without them one digest runs over the whole artifact, and nothing counts until
 * its end.
 */
export interface ArtifactReceiver {
  /** The byte wanted next; after an interruption the one to resume from. */
  position(): number
  /** @throws PlasmError `chunk-digest-mismatch` | `artifact-digest-mismatch`, or what the writer throws */
  push(data: Uint8Array): void
  /** The transfer broke: drops what cannot be verified any more. */
  interrupted(): void
}

export interface ReceiverTarget {
  readonly role: string
  /** Who the bytes come from, a fact of errors. */
  readonly provider: string
  /** Bytes that an earlier provider's transfer left verified; 0 or, with chunks, a multiple of their size, or all. */
  readonly from: number
  write(offset: number, block: Buffer): void
  /** So many bytes, counted from the start, are verified now. */
  onVerified(bytes: number): void
}

export function createReceiver(artifact: ManifestArtifact, target: ReceiverTarget): ArtifactReceiver {
  const { chunks, size_bytes: size } = artifact
  const blockBytes = chunks?.size ?? BLOCK_BYTES
  const block = Buffer.allocUnsafeSlow(Math.min(blockBytes, size))
  let settled = target.from
  let filled = 0
  let hash = createHash('sha256')

  const check = (expected: string, chunk: number | null) => {
    const found = `sha256:${hash.digest('hex')}`
    hash = createHash('sha256')
    if (found !== expected) throw mismatch(target, { chunk, expected, found })
  }
  const settle = () => {
    if (chunks) {
      const index = settled / chunks.size
      check(`sha256:${chunks.sha256[index]}`, index)
    }
    target.write(settled, block.subarray(0, filled))
    settled += filled
    filled = 0
    if (!chunks && settled === size) check(artifact.hash, null)
    if (chunks || settled === size) target.onVerified(settled)
  }
  return {
    position: () => settled + filled,
    push(data) {
      let taken = 0
      while (taken < data.length && settled < size) {
        const wanted = Math.min(blockBytes, size - settled) - filled
        const part = data.subarray(taken, taken + wanted)
        block.set(part, filled)
        hash.update(part)
        filled += part.length
        taken += part.length
        if (part.length === wanted) settle()
      }
    },
    interrupted() {
      if (!chunks) return
      filled = 0
      hash = createHash('sha256')
    },
  }
}

function mismatch(
  { role, provider }: ReceiverTarget,
  { chunk, expected, found }: { chunk: number | null; expected: string; found: string },
): PlasmError {
  const what = chunk === null ? role : `chunk ${chunk} of ${role}`
  const code = chunk === null ? 'artifact-digest-mismatch' : 'chunk-digest-mismatch'
  return new PlasmError(code, `${what} from ${provider} is not what the manifest says`, {
    facts: { provider, artifact: role, ...(chunk === null ? {} : { chunk }), expected, found },
    hint: 'the provider holds damaged bytes or they were changed on the way; compare its files with their manifest',
  })
}
