import { join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { lineageDocument } from '../service/lineage-document.ts'
import type { NodeKey } from '../service/node-key.ts'
import type { BootRecord } from './boot-record.ts'
import type { ClosingFile } from './carry-plan.ts'
import type { CompleteSet } from './complete-set.ts'
import { writeHandoverDirectory } from './handover-directory.ts'
import { HANDOVER } from './handover-layout.ts'
import type { StoredSet } from './publish.ts'

/** Not exported: only {@link handOver} and {@link handOverOnDisk} can make a {@link HandedOverSet}. */
const handedOver: unique symbol = Symbol('handed over')

/** A whole initrd and its kernel, ready for kexec: the only thing that kexec.load() takes. */
export interface HandedOverSet {
  readonly [handedOver]: true
  readonly arch: Arch
  readonly files: { readonly initrd: string; readonly kernel: string }
  /** Those of the files that are memory, and gone once kexec has read them; what lies in the store stays. */
  readonly scratch: readonly string[]
  readonly initrdBytes: number
  readonly record: BootRecord
}

/** What a machine knows about itself and this boot. */
export interface OwnAccount {
  /** Left out where the machine keeps who it is and how it came here: it boots from its own disk. */
  readonly identity?: {
    readonly key: NodeKey
    /** Boot receipts, own one first; empty where the provider gave none. */
    readonly lineage: readonly unknown[]
  }
  readonly record: BootRecord
}

/**
 * Ends the new initrd with what is known last before kexec: who this machine is, its receipts, and the boot record.
 * @param kernel path of the verified kernel
 * @throws PlasmError `scratch-full`
 */
export function handOver({ writer }: CompleteSet, kernel: string, account: OwnAccount): HandedOverSet {
  const initrdBytes = writer.finish(closingFiles(account))
  writer.close()
  const { arch } = writer.verified.manifest
  const files = { initrd: writer.files.initrd, kernel }
  return { [handedOver]: true, arch, files, scratch: [files.initrd, kernel], initrdBytes, record: account.record }
}

/**
 * Leaves on the data disk what the next kernel's init and agent look for; the kernel is read from there, too.
 * @param root of the store on that disk
 * @param set whose bytes have just been verified
 * @param initrd whose init mounts the disk
 */
export async function handOverOnDisk(
  root: string,
  set: StoredSet,
  initrd: { readonly path: string; readonly bytes: number },
  account: OwnAccount,
): Promise<HandedOverSet> {
  await writeHandoverDirectory(root, set, closingFiles(account))
  const { arch, artifacts } = set.verified.manifest
  const files = { initrd: initrd.path, kernel: join(set.dir, artifacts.kernel.filename) }
  const { record } = account
  return { [handedOver]: true, arch, files, scratch: [initrd.path], initrdBytes: initrd.bytes, record }
}

function closingFiles({ identity, record }: OwnAccount): readonly ClosingFile[] {
  const { key, lineage = [] } = identity ?? {}
  return [
    ...(key ? [{ name: HANDOVER.nodeKey, bytes: key.seed }] : []),
    ...(lineage.length === 0 ? [] : [{ name: HANDOVER.lineage, bytes: lineageDocument(lineage) }]),
    { name: HANDOVER.record, bytes: Buffer.from(`${JSON.stringify(record)}\n`) },
  ]
}
