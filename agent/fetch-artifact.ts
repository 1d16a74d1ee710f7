import { setTimeout as sleep } from 'node:timers/promises'
import { PlasmError } from '../service/errors.ts'
import type { ManifestArtifact } from '../service/manifest.ts'
import { createReceiver } from './artifact-receiver.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import type { Place } from './candidate.ts'
import type { TransferLimits } from './http-body.ts'
import { readFrom } from './http-range.ts'

/** Failures of the way, not of the provider's data: the same provider may finish what it began. */
const WORTH_ANOTHER_TRY = new Set(['transfer-broken', 'body-too-short', 'provider-busy'])

/**
 * Fetches what is still missing of one artifact from one provider, resuming with a range where a transfer breaks.
 * @param signal ends it, whatever is going on
 * @throws PlasmError of http-range.ts, artifact-receiver.ts or the writer's; what was verified stays in `writer.kept`
 */
export async function fetchArtifact(
  { url: provider, reach }: Place,
  artifact: ManifestArtifact & { readonly role: string },
  writer: ArtifactSink,
  limits: TransferLimits,
  onBytes: (position: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { role, size_bytes: size, download_url: path } = artifact
  let verifiedSinceFailure = false
  const receiver = createReceiver(artifact, {
    role,
    provider,
    from: writer.kept.get(role) ?? 0,
    write: (offset, block) => writer.write(role, offset, block),
    onVerified(bytes) {
      writer.kept.set(role, bytes)
      verifiedSinceFailure = true
    },
  })
  for (let failures = 0; receiver.position() < size; ) {
    try {
      const take = (data: Buffer) => {
        receiver.push(data)
        onBytes(receiver.position())
      }
      const place = { url: `${provider}${path}`, ...(reach === undefined ? {} : { reach }) }
      await readFrom(place, { from: receiver.position(), size }, limits, take, signal)
    } catch (thrown) {
      receiver.interrupted()
      failures = verifiedSinceFailure ? 1 : failures + 1
      verifiedSinceFailure = false
      if (signal?.aborted || !isWorthAnotherTry(thrown) || failures >= limits.tries) throw thrown
      await sleep(pauseBefore(thrown, failures, limits), undefined, signal ? { signal } : {})
    }
  }
}

function isWorthAnotherTry(thrown: unknown): thrown is PlasmError {
  return thrown instanceof PlasmError && WORTH_ANOTHER_TRY.has(thrown.code)
}

function pauseBefore(thrown: PlasmError, failures: number, { pauseMs }: TransferLimits): number {
  const { retryAfterSeconds } = thrown.facts
  return typeof retryAfterSeconds === 'number' ? retryAfterSeconds * 1000 : pauseMs * 2 ** (failures - 1)
}
