import { PlasmError } from '../service/errors.ts'
import type { CompleteSet } from './complete-set.ts'
import type { Fetched } from './fetch-newer.ts'
import { readRecord, recordFor, writeRecord } from './record-file.ts'
import type { NextSet } from './roll-on.ts'
import type { Server } from './serve-server.ts'
import type { Served } from './served.ts'
import { onStore } from './store-errors.ts'
import { keepComplete, publishComplete, type StoreWriter } from './store-writer.ts'
import type { UpdateAccount } from './update-account.ts'
import type { UpdateRequest } from './update-request.ts'

/** Has a newer set served, or booted, as `apply` in the configuration says. */
export interface Taking {
  /**
   * Serves the set; or keeps it for `bootNext`.
   * @returns what is to follow, and that in words
   * @throws PlasmError of store-writer.ts; then the set is thrown away
   */
  take(
    fetched: Fetched,
    requests: readonly UpdateRequest[],
    served: Served,
  ): Promise<{ readonly follows: 'proof' | 'boot'; readonly words: string }>
  /** The steps to ready were gone through once more: says to those who asked for it whether the new set has passed them. */
  proven(served: Served): void
  /**
   * Boots the set that was kept, if any.
   * @returns whether there was one, and it could not be booted: what was served is served on
   */
  bootNext(): Promise<boolean>
}

export function createTaking(server: Server, account: UpdateAccount): Taking {
  const { config, identity } = server.told
  const { storeRoot } = config
  /** Published, and still to be proven by the steps to ready. */
  let taken: { readonly sequence: number; readonly requests: readonly UpdateRequest[] } | undefined
  /** Whole in the store, to be booted, with the digest of what was served meanwhile. */
  let next: (NextSet & { readonly previous: string }) | undefined

  const publish = async (set: CompleteSet<StoreWriter>, requests: readonly UpdateRequest[]): Promise<void> => {
    const stored = await onStore(storeRoot, () => publishComplete(storeRoot, set))
    const by = { ...config, peerId: identity.peerId, bootId: server.bootId, directory: storeRoot }
    await writeRecord(storeRoot, recordFor(stored, await readRecord(storeRoot), by))
    taken = { sequence: stored.verified.manifest.sequence, requests }
    account.failures.clear()
  }

  const keep = async ({ set, from }: Fetched, served: Served): Promise<number> => {
    const stored = await onStore(storeRoot, () => keepComplete(storeRoot, set))
    next = { set: stored, candidate: from, previous: served.set.verified.digest }
    return stored.verified.manifest.sequence
  }

  return {
    async take(fetched, requests, served) {
      const { set, from } = fetched
      try {
        if (config.apply === 'kexec') {
          const sequence = await keep(fetched, served)
          account.answer(requests, 'booting')
          const words = `sequence ${sequence} was fetched from ${from.url}, and is to be booted`
          return { follows: 'boot', words }
        }
        await publish(set, requests)
        account.tell({ newest: null })
        return { follows: 'proof', words: `a newer set was fetched from ${from.url}` }
      } catch (thrown) {
        await set.writer.discard().catch(() => {})
        throw thrown
      }
    },
    proven(served) {
      if (!taken) return
      const { sequence, requests } = taken
      taken = undefined
      if (served.set.verified.manifest.sequence >= sequence) account.answer(requests, 'applied')
      else account.answer(requests, 'failed', notProven(sequence))
    },
    async bootNext() {
      if (!next || server.stop.aborted) return false
      const { previous, ...toBoot } = next
      next = undefined
      try {
        const { rollOn } = await import('./roll-on.ts')
        return await rollOn(server, toBoot, previous)
      } catch (thrown) {
        account.failedFrom(toBoot.candidate.url)
        account.tellFailure(thrown)
        return true
      }
    },
  }
}

function notProven(sequence: number): PlasmError {
  return new PlasmError('update-not-proven', `sequence ${sequence} was fetched, and did not prove itself`, {
    facts: { sequence },
    hint: 'see why: plasm-agent logs',
  })
}
