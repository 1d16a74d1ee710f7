import { artifactsOf } from '../service/manifest.ts'
import { HANDOVER, HANDOVER_DIR } from './handover-layout.ts'
import { NEWC_DIRECTORY, NEWC_FILE, newcHeader, newcPadding, newcTrailer } from './newc.ts'
import type { VerifiedManifest } from './verify.ts'

/** The new initrd by offsets (DESIGN decision 5a), so that everything can be written in any order, once. */
export interface CarryPlan {
  /** The new initrd begins with so many bytes of the published initramfs. */
  readonly prefixBytes: number
  /** Everything small: directories, headers, padding, the manifest. */
  readonly fixed: ReadonlyArray<{ readonly offset: number; readonly bytes: Uint8Array }>
  /** Role -> offset of the artifact's data. */
  readonly artifactOffset: ReadonlyMap<string, number>
  /** Where {@link closingBytes} go: the boot record and the trailer. */
  readonly closingOffset: number
}

const FILE_MODE = NEWC_FILE | 0o600
/** Inode numbers: directories and the manifest first, then artifacts, then the record. */
const RECORD_INO = 0xffff

/** @param prefixBytes from {@link prefixBytesOf}; padded to 4 when an initramfs of another length is the whole prefix */
export function planCarry(
  prefixBytes: number,
  { manifest, bytes, file }: Pick<VerifiedManifest, 'manifest' | 'bytes' | 'file'>,
): CarryPlan {
  const fixed: { offset: number; bytes: Uint8Array }[] = []
  const artifactOffset = new Map<string, number>()
  let offset = prefixBytes
  let ino = 1
  const put = (part: Uint8Array) => {
    if (part.length > 0) fixed.push({ offset, bytes: part })
    offset += part.length
  }
  put(Buffer.alloc(newcPadding(prefixBytes)))
  for (const directory of directories()) put(newcHeader({ ...directory, size: 0, ino: ino++ }))
  put(newcHeader({ name: member(file), mode: FILE_MODE, size: bytes.length, ino: ino++ }))
  put(bytes)
  put(Buffer.alloc(newcPadding(bytes.length)))
  for (const { role, size_bytes } of artifactsOf(manifest)) {
    put(newcHeader({ name: member(role), mode: FILE_MODE, size: size_bytes, ino: ino++ }))
    artifactOffset.set(role, offset)
    offset += size_bytes
    put(Buffer.alloc(newcPadding(size_bytes)))
  }
  return { prefixBytes, fixed, artifactOffset, closingOffset: offset }
}

/** The end of the new initrd: the boot record, whose content is known last, and the trailer. */
export function closingBytes(record: Uint8Array): Buffer {
  return Buffer.concat([
    newcHeader({ name: member(HANDOVER.record), mode: FILE_MODE, size: record.length, ino: RECORD_INO }),
    record,
    Buffer.alloc(newcPadding(record.length)),
    newcTrailer(),
  ])
}

const member = (name: string) => `${HANDOVER_DIR}/${name}`

/** Every directory on the way, the last of them open to root alone (it will hold the node key). */
function directories(): ReadonlyArray<{ name: string; mode: number }> {
  const parts = HANDOVER_DIR.split('/')
  return parts.map((_, index) => ({
    name: parts.slice(0, index + 1).join('/'),
    mode: NEWC_DIRECTORY | (index === parts.length - 1 ? 0o700 : 0o755),
  }))
}
