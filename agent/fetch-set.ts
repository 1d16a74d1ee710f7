import { type ArtifactSink, artifactsFor } from './artifact-sink.ts'
import type { Place } from './candidate.ts'
import { type CompleteSet, completeSet } from './complete-set.ts'
import { fetchArtifact } from './fetch-artifact.ts'
import { TRANSFER_LIMITS, type TransferLimits } from './http-body.ts'

const PROGRESS_EVERY_MS = 500

export interface FetchProgress {
  readonly bytes: number
  readonly totalBytes: number
}

/**
 * Fetches what is still missing of a set from one provider, straight into its place (the new initrd, or the store). The initramfs comes
 * first: its beginning tells where everything goes in an initrd.
 * @throws PlasmError the provider's or the scratch files'; `writer` keeps what is verified, for the next provider
 */
export async function fetchSet<Writer extends ArtifactSink>(
  provider: Place,
  writer: Writer,
  onProgress: (progress: FetchProgress) => void,
  limits: TransferLimits = TRANSFER_LIMITS,
  signal?: AbortSignal,
): Promise<CompleteSet<Writer>> {
  const wanted = artifactsFor(writer)
  const totalBytes = wanted.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
  const artifacts = [...wanted].sort((a, b) => Number(b.role === 'initramfs') - Number(a.role === 'initramfs'))
  const keptOf = (role: string) => writer.kept.get(role) ?? 0
  let told = performance.now()
  for (const artifact of artifacts) {
    const others = artifacts
      .filter(({ role }) => role !== artifact.role)
      .reduce((sum, { role }) => sum + keptOf(role), 0)
    const onBytes = (position: number) => {
      const now = performance.now()
      if (now - told < PROGRESS_EVERY_MS) return
      told = now
      onProgress({ bytes: others + position, totalBytes })
    }
    await fetchArtifact(provider, artifact, writer, limits, onBytes, signal)
  }
  onProgress({ bytes: totalBytes, totalBytes })
  return completeSet(writer)
}
