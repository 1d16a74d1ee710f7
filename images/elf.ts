import { open } from 'node:fs/promises'
import { execa } from 'execa'

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
