import { type FileHandle, open } from 'node:fs/promises'
import { execa } from 'execa'
import type { Arch } from './arch.ts'

/** What an ELF file asks of the dynamic loader (System V ABI, chapter 5). */
export interface ElfNeeds {
  /** PT_INTERP, or undefined for a static file or a library. */
  readonly interpreter: string | undefined
  /** DT_NEEDED names, in file order. */
  readonly libraries: readonly string[]
}

export async function isElf(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && buffer.equals(Buffer.from('\x7fELF', 'latin1'))
  } finally {
    await file.close()
  }
}

export interface ElfHeader {
  /** undefined for an architecture not known here. */
  readonly arch: Arch | undefined
  /** Whether it is something to run: it has an entry point. */
  readonly isProgram: boolean
  /** Whether all that is to be loaded lies within the file. */
  readonly isWhole: boolean
}

const HEADER_BYTES = 64
const SEGMENT_BYTES = 56
const PT_LOAD = 1
/** e_ident (System V ABI, chapter 4): magic, ELFCLASS64, ELFDATA2LSB. */
const ELF64_LITTLE = Buffer.from('\x7fELF\x02\x01', 'latin1')
const ET_EXEC = 2
/** A static program that can be loaded anywhere (static-pie) is of the same type as a library. */
const ET_DYN = 3
/** e_machine: EM_X86_64, EM_AARCH64. */
const MACHINES: ReadonlyMap<number, Arch> = new Map([
  [62, 'x86_64'],
  [183, 'arm64'],
])

/** The head of a 64-bit little-endian ELF file; undefined for any other file. */
export async function elfHeader(path: string): Promise<ElfHeader | undefined> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
    if (bytesRead < HEADER_BYTES || !buffer.subarray(0, ELF64_LITTLE.length).equals(ELF64_LITTLE)) return undefined
    const type = buffer.readUInt16LE(16)
    const entry = buffer.readBigUInt64LE(24)
    return {
      arch: MACHINES.get(buffer.readUInt16LE(18)),
      isProgram: [ET_EXEC, ET_DYN].includes(type) && entry !== 0n,
      isWhole: await holdsSegments(file, { at: Number(buffer.readBigUInt64LE(32)), count: buffer.readUInt16LE(56) }),
    }
  } finally {
    await file.close()
  }
}

/** Looks at the program headers (System V ABI, chapter 5): offset and size of what is loaded from the file. */
async function holdsSegments(file: FileHandle, { at, count }: { at: number; count: number }): Promise<boolean> {
  const { size } = await file.stat()
  const length = count * SEGMENT_BYTES
  if (count === 0 || at + length > size) return false
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, at)
  return Array.from({ length: count }, (_, index) => buffer.subarray(index * SEGMENT_BYTES)).every(
    (segment) =>
      segment.readUInt32LE(0) !== PT_LOAD || segment.readBigUInt64LE(8) + segment.readBigUInt64LE(32) <= BigInt(size),
  )
}

/** Reads an ELF file of any architecture with binutils' readelf. */
export async function elfNeeds(path: string): Promise<ElfNeeds> {
  const { stdout } = await execa('readelf', ['--wide', '--dynamic', '--program-headers', path], {
    env: { LC_ALL: 'C' },
  })
  return {
    interpreter: /\[Requesting program interpreter: (\S+)\]/.exec(stdout)?.[1],
    libraries: [...stdout.matchAll(/\(NEEDED\)\s+Shared library: \[(\S+)\]/g)].map((match) => match[1]!),
  }
}
