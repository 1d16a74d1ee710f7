import { asPlasmError } from '../service/errors.ts'
import { setBytes } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import type { CandidateLog } from './candidate-log.ts'
import type { CompleteSet } from './complete-set.ts'
import { makeRoom } from './copy-set.ts'
import { type FetchProgress, fetchSet } from './fetch-set.ts'
import { TRANSFER_LIMITS } from './http-body.ts'
import { exists } from './publish.ts'
import type { Choice } from './rank.ts'
import { prepareStore } from './store-safety.ts'
import { createStoreWriter, type StoreWriter } from './store-writer.ts'

export interface FetchIntoStore {
  readonly root: string
  readonly channel: string
  /** In the order in which they are tried. */
  readonly ranked: readonly Choice[]
  readonly log: CandidateLog
  readonly onProgress?: (progress: FetchProgress, from: string) => void
  /** Told of a provider that did not give what its manifest says. */
  readonly onFailed?: (url: string) => void
  /** Ends it; nothing is left of what was fetched. */
  readonly signal?: AbortSignal
}

/**
 * Fetches a set into the store from the first provider that gives all of it. Nobody sees it there until it is published.
 * @throws PlasmError of fetch-set.ts (the last provider's), `store-unsafe` | what the system says of the store
 */
export async function fetchIntoStore(given: FetchIntoStore): Promise<CompleteSet<StoreWriter>> {
  const { root, channel, ranked, log, onProgress, onFailed, signal } = given
  await prepareStore(root, channel)
  let writer: StoreWriter | undefined
  let last: unknown
  try {
    for (const { candidate, verified } of ranked) {
      log.chosen(candidate)
      try {
        // Sets are never mixed; what one provider left verified of this one is there for the next.
        if (writer?.verified.digest !== verified.digest) {
          await writer?.discard()
          writer = undefined
          const old = storePaths(root).set(verified.digest)
          await makeRoom(root, setBytes(verified.manifest))
          writer = await createStoreWriter(root, verified, (await exists(old)) ? old : undefined)
        }
        const { url } = candidate
        const tell = (progress: FetchProgress) => onProgress?.(progress, url)
        const whole = await fetchSet(candidate, writer, tell, TRANSFER_LIMITS, signal)
        writer = undefined
        return whole
      } catch (thrown) {
        if (signal?.aborted) throw thrown
        const { code, message } = asPlasmError(thrown)
        log.rejected(candidate, `${message} [${code}]`)
        onFailed?.(candidate.url)
        last = thrown
      }
    }
  } finally {
    await writer?.discard().catch(() => {})
  }
  throw last
}
