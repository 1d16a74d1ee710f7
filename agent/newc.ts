/**
 * The newc form of cpio, as the kernel unpacks it (kernel: Documentation/driver-api/early-userspace/buffer-format.rst):
 * a header of 110 ASCII characters, the name with its NUL, padding to 4 bytes; then the data, padded to 4 bytes.
 */
const MAGIC = '070701'
export const NEWC_HEADER_BYTES = 110
const TRAILER_NAME = 'TRAILER!!!'
const FIELD_BYTES = 8

export interface NewcMember {
  /** No leading slash. */
  readonly name: string
  /** File type and permissions, as in st_mode. */
  readonly mode: number
  /** Length of the data, less than 4 GiB. */
  readonly size: number
  /** Unique in its archive: the kernel takes two regular files of one number for links of each other. */
  readonly ino: number
}

export const NEWC_DIRECTORY = 0o040000
export const NEWC_FILE = 0o100000

/** Bytes of padding that bring a length up to the next multiple of 4. */
export function newcPadding(length: number): number {
  return (4 - (length % 4)) % 4
}

/** Header, name and padding of one member; its data follow. Owner is root and the time is the epoch. */
export function newcHeader({ name, mode, size, ino }: NewcMember): Buffer {
  const nlink = (mode & NEWC_DIRECTORY) === NEWC_DIRECTORY ? 2 : 1
  const nameBytes = Buffer.byteLength(name) + 1
  const fields = [ino, mode, 0, 0, nlink, 0, size, 0, 0, 0, 0, nameBytes, 0]
  const header = fields.map((field) => field.toString(16).toUpperCase().padStart(FIELD_BYTES, '0')).join('')
  const padding = newcPadding(NEWC_HEADER_BYTES + nameBytes)
  return Buffer.from(`${MAGIC}${header}${name}${'\0'.repeat(1 + padding)}`)
}

export function newcTrailer(): Buffer {
  return newcHeader({ name: TRAILER_NAME, mode: 0, size: 0, ino: 0 })
}

/**
 * Looks for a small file in the first archive of an initramfs, of which only the beginning is at hand.
 * @returns its data, or undefined when the bytes are no newc archive, or it is not in the part that they hold
 */
export function findInNewc(bytes: Buffer, wanted: string): Buffer | undefined {
  let at = 0
  while (bytes.length - at >= NEWC_HEADER_BYTES && bytes.toString('latin1', at, at + MAGIC.length) === MAGIC) {
    const size = field(bytes, at, 6)
    const nameBytes = field(bytes, at, 11)
    const nameAt = at + NEWC_HEADER_BYTES
    const dataAt = nameAt + nameBytes + newcPadding(NEWC_HEADER_BYTES + nameBytes)
    const end = dataAt + size
    // A header that is not hexadecimal gives NaN, and a member may reach beyond what is at hand: both end the search.
    if (!(end <= bytes.length)) return undefined
    const name = bytes.toString('latin1', nameAt, nameAt + nameBytes - 1)
    if (name === wanted) return bytes.subarray(dataAt, end)
    if (name === TRAILER_NAME) return undefined
    at = end + newcPadding(size)
  }
  return undefined
}

function field(bytes: Buffer, header: number, index: number): number {
  const start = header + MAGIC.length + index * FIELD_BYTES
  const text = bytes.toString('latin1', start, start + FIELD_BYTES)
  return /^[0-9A-Fa-f]{8}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN
}
