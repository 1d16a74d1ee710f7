import type { Arch } from '../service/arch.ts'
import type { BootRecord } from './boot-record.ts'
import type { CompleteSet } from './complete-set.ts'

/** Not exported: only {@link handOver} can make a {@link HandedOverSet}. */
const handedOver: unique symbol = Symbol('handed over')

/** A whole initrd and its kernel, ready for kexec: the only thing that kexec.load() takes. */
export interface HandedOverSet {
  readonly [handedOver]: true
  readonly arch: Arch
  readonly files: { readonly initrd: string; readonly kernel: string }
  readonly initrdBytes: number
  readonly record: BootRecord
}

/**
 * Ends the new initrd with the boot record, the last thing known before kexec.
 * @param kernel path of the verified kernel
 * @throws PlasmError `scratch-full`
 */
export function handOver({ writer }: CompleteSet, kernel: string, record: BootRecord): HandedOverSet {
  const initrdBytes = writer.finish(Buffer.from(`${JSON.stringify(record)}\n`))
  writer.close()
  const { arch } = writer.verified.manifest
  return { [handedOver]: true, arch, files: { initrd: writer.files.initrd, kernel }, initrdBytes, record }
}
