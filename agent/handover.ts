import type { Arch } from '../service/arch.ts'
import { lineageDocument } from '../service/lineage-document.ts'
import type { NodeKey } from '../service/node-key.ts'
import type { BootRecord } from './boot-record.ts'
import type { CompleteSet } from './complete-set.ts'
import { HANDOVER } from './handover-layout.ts'

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

/** What a machine knows about itself and this boot. */
export interface OwnAccount {
  readonly key: NodeKey
  /** Boot receipts, own one first; empty where the provider gave none. */
  readonly lineage: readonly unknown[]
  readonly record: BootRecord
}

/**
 * Ends the new initrd with what is known last before kexec: who this machine is, its receipts, and the boot record.
 * @param kernel path of the verified kernel
 * @throws PlasmError `scratch-full`
 */
export function handOver({ writer }: CompleteSet, kernel: string, { key, lineage, record }: OwnAccount): HandedOverSet {
  const initrdBytes = writer.finish([
    { name: HANDOVER.nodeKey, bytes: key.seed },
    ...(lineage.length === 0 ? [] : [{ name: HANDOVER.lineage, bytes: lineageDocument(lineage) }]),
    { name: HANDOVER.record, bytes: Buffer.from(`${JSON.stringify(record)}\n`) },
  ])
  writer.close()
  const { arch } = writer.verified.manifest
  return { [handedOver]: true, arch, files: { initrd: writer.files.initrd, kernel }, initrdBytes, record }
}
