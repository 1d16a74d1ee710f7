import { HANDOVER_DIR } from '../../agent/handover-layout.ts'
import { findInNewc } from '../../agent/newc.ts'
import type { TestSet } from './boot-set.ts'

/** A file that a new initrd carries in its handover directory, or undefined. */
export function carried(initrd: Buffer, set: Pick<TestSet, 'prefixBytes'>, name: string): Buffer | undefined {
  return findInNewc(initrd.subarray(set.prefixBytes), `${HANDOVER_DIR}/${name}`)
}
