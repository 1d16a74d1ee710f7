import type { HandoverKind } from './boot-record.ts'
import type { Crossing } from './crossing.ts'
import { fetchSet } from './fetch-set.ts'
import { handOver } from './handover.ts'
import type { PreflightFacts } from './preflight.ts'
import type { VerifiedManifest } from './verify.ts'
import type { Workbench } from './workbench.ts'

/** The set crosses in the new initrd, which is written as it is downloaded; with `refetch` all of it but the rootfs. */
export function carry(
  workbench: Workbench,
  verified: VerifiedManifest,
  facts: PreflightFacts,
  kind: Exclude<HandoverKind, 'disk'>,
): Crossing {
  return {
    kind,
    async fetch(provider, onProgress, limits) {
      const complete = await fetchSet(provider, workbench.writer(verified, facts, kind), onProgress, limits)
      return { handOver: async (account) => handOver(complete, workbench.files.kernel, account) }
    },
    drop: async () => workbench.clear(),
  }
}
