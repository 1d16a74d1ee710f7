import type { HandoverKind } from './boot-record.ts'

const NOTHING: ReadonlySet<string> = new Set()
/** The next kernel needs the rest to be able to fetch it. */
const ROOTFS: ReadonlySet<string> = new Set(['rootfs'])

/** Roles that do not go into the new initrd; with `refetch` the next kernel's init has them fetched (complete.ts). */
export function leftOut(handover: HandoverKind): ReadonlySet<string> {
  return handover === 'refetch' ? ROOTFS : NOTHING
}
