import { checkBudget, sizesFor } from './budget.ts'
import type { Crossing, WholeSet } from './crossing.ts'
import { fetchSet } from './fetch-set.ts'
import { handOverOnDisk } from './handover.ts'
import { writePrefix } from './initrd-prefix.ts'
import type { PreflightFacts } from './preflight.ts'
import type { StoredSet } from './publish.ts'
import type { StoreBench } from './store-bench.ts'
import { onStore } from './store-errors.ts'
import { keepComplete } from './store-writer.ts'
import type { VerifiedManifest } from './verify.ts'
import type { Workbench } from './workbench.ts'

/** The set crosses on the data disk: it is fetched into the store, and only a small initrd and the kernel go into memory. */
export function crossOnDisk(
  bench: StoreBench,
  workbench: Workbench,
  verified: VerifiedManifest,
  facts: PreflightFacts,
): Crossing {
  return {
    kind: 'disk',
    async fetch(provider, onProgress, limits) {
      const complete = await onStore(bench.root, async () =>
        fetchSet(provider, await bench.writer(verified), onProgress, limits),
      )
      return {
        async handOver(account) {
          const set = await onStore(bench.root, () => keepComplete(bench.root, complete))
          bench.kept()
          return storedSet(bench.root, workbench, set, facts).handOver(account)
        },
      }
    },
    drop: bench.drop,
  }
}

/** A whole set of the store on the data disk, every byte of which has just been verified. */
export function storedSet(root: string, workbench: Workbench, set: StoredSet, facts: PreflightFacts): WholeSet {
  const { manifest } = set.verified
  return {
    async handOver(account) {
      workbench.clear()
      const { prefixBytes, initrdBytes } = await writePrefix(set, workbench.files.initrd)
      checkBudget(sizesFor(manifest, 'disk', prefixBytes), facts.memory, facts.scratchFreeBytes)
      return onStore(root, () =>
        handOverOnDisk(root, set, { path: workbench.files.initrd, bytes: initrdBytes }, account),
      )
    },
  }
}
