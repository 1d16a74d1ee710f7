import type { Crossing } from './crossing.ts'
import { fetchSet } from './fetch-set.ts'
import { handOver } from './handover.ts'
import type { PreflightFacts } from './preflight.ts'
import type { VerifiedManifest } from './verify.ts'
import type { Workbench } from './workbench.ts'

/** The set crosses in the new initrd, which is written as it is downloaded. */
export function carry(workbench: Workbench, verified: VerifiedManifest, facts: PreflightFacts): Crossing {
  return {
    kind: 'carry',
    async fetch(provider, onProgress, limits) {
      const complete = await fetchSet(provider, workbench.writer(verified, facts), onProgress, limits)
      return { handOver: async (account) => handOver(complete, workbench.files.kernel, account) }
    },
    drop: async () => workbench.clear(),
  }
}
