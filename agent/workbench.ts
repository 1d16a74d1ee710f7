import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { HandoverKind } from './boot-record.ts'
import { checkBudget, sizesFor } from './budget.ts'
import { leftOut } from './left-out.ts'
import type { PreflightFacts } from './preflight.ts'
import { checkPrivateDirectory } from './scratch-safety.ts'
import { createSetWriter, deleteScratch, type SetWriter } from './set-writer.ts'
import type { VerifiedManifest } from './verify.ts'

/**
 * Holds the one set that is being fetched, from provider to provider and from attempt to attempt. A set with another
 * manifest digest takes its place: sets are never mixed.
 */
export interface Workbench {
  readonly directory: string
  readonly files: { readonly initrd: string; readonly kernel: string }
  /**
   * Drops a set that is not this one, and looks whether the directory is still root's alone.
   * @returns bytes that this one holds already
   * @throws PlasmError `scratch-unsafe`
   */
  makeRoom(verified: VerifiedManifest): number
  /** The writer of this set, as far as it got. Refuses once the exact sizes are known and do not fit. */
  writer(verified: VerifiedManifest, facts: PreflightFacts, handover: HandoverKind): SetWriter
  /** Before kexec reads the files: the directory is still root's alone. @throws PlasmError `scratch-unsafe` */
  check(): void
  clear(): void
}

/** @param directory root's own; made when it is not there */
export function createWorkbench(directory: string): Workbench {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const files = { initrd: join(directory, 'initrd'), kernel: join(directory, 'kernel') }
  let current: SetWriter | undefined
  const clear = () => {
    current?.discard()
    current = undefined
    deleteScratch(files)
  }
  return {
    directory,
    files,
    check: () => checkPrivateDirectory(directory),
    clear,
    makeRoom({ digest }) {
      checkPrivateDirectory(directory)
      if (current?.verified.digest !== digest) clear()
      return current?.heldBytes() ?? 0
    },
    writer(verified, { memory, scratchFreeBytes, dht = false }, handover) {
      // An attempt with more memory, or less, may carry more or less of the same set.
      if (current && current.leftOut !== leftOut(handover)) clear()
      current ??= createSetWriter(verified, files, {
        leftOut: leftOut(handover),
        onPlan: ({ prefixBytes }) =>
          checkBudget({ ...sizesFor(verified.manifest, handover, prefixBytes), dht }, memory, scratchFreeBytes),
      })
      return current
    },
  }
}
