import { artifactsFor } from './artifact-sink.ts'
import { HANDOVER_DIR } from './handover-layout.ts'
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
  /** Where {@link closingBytes} go. */
  readonly closingOffset: number
}

const FILE_MODE = NEWC_FILE | 0o600
/** Inode numbers: directories and the manifest first, then artifacts, then what is known last. */
const CLOSING_INO = 0xff00

/** @param prefixBytes from {@link prefixBytesOf}; padded to 4 when an initramfs of another length is the whole prefix */
export function planCarry(
  prefixBytes: number,
  verified: Pick<VerifiedManifest, 'manifest' | 'bytes' | 'file'>,
  leftOut?: ReadonlySet<string>,
): CarryPlan {
  const { bytes, file } = verified
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
  for (const { role, size_bytes } of artifactsFor({ verified, leftOut })) {
    put(newcHeader({ name: member(role), mode: FILE_MODE, size: size_bytes, ino: ino++ }))
    artifactOffset.set(role, offset)
    offset += size_bytes
    put(Buffer.alloc(newcPadding(size_bytes)))
  }
  return { prefixBytes, fixed, artifactOffset, closingOffset: offset }
}

/** A small file that is known last. */
export interface ClosingFile {
  /** Its name in the handover directory. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** The end of the new initrd: the files that are known last, in this order, and the trailer. */
export function closingBytes(files: readonly ClosingFile[]): Buffer {
  const members = files.flatMap(({ name, bytes }, index) => [
    newcHeader({ name: member(name), mode: FILE_MODE, size: bytes.length, ino: CLOSING_INO + index }),
    bytes,
    Buffer.alloc(newcPadding(bytes.length)),
  ])
  return Buffer.concat([...members, newcTrailer()])
}

const member = (name: string) => `${HANDOVER_DIR}/${name}`

/** Every directory on the way, the last of them open to root alone (it holds the node key). */
function directories(): ReadonlyArray<{ name: string; mode: number }> {
  const parts = HANDOVER_DIR.split('/')
  return parts.map((_, index) => ({
    name: parts.slice(0, index + 1).join('/'),
    mode: NEWC_DIRECTORY | (index === parts.length - 1 ? 0o700 : 0o755),
  }))
}
