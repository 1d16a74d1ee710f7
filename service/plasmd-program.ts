import { stat } from 'node:fs/promises'
import type { Arch } from './arch.ts'
import { elfHeader, elfNeeds } from './elf.ts'
import { PlasmError } from './errors.ts'

const GENERAL_HINT = 'name a static Linux program with the command line of `plasmd serve`'

/**
 * Looks whether a program of somebody else's can run in an image as plasmd: images have no libraries for it, so it is a static
 * program of the image's architecture. Whoever asks for such an image learns it by this before anything is built.
 * @param named what to call the file in the error, where it is a copy
 * @throws PlasmError `plasmd-unfit` (facts: `file`, `problem`)
 */
export async function checkPlasmdProgram(file: string, arch: Arch, named: string = file): Promise<void> {
  const unfit = (problem: string, hint = GENERAL_HINT) =>
    new PlasmError('plasmd-unfit', `${named} cannot be baked in as plasmd: ${problem}`, {
      facts: { file: named, problem },
      hint,
    })
  const unreadable = (thrown: NodeJS.ErrnoException) => {
    throw unfit(thrown.code === 'ENOENT' ? 'there is no such file' : thrown.message)
  }
  const found = await stat(file).catch(unreadable)
  if (!found.isFile()) throw unfit('it is not a file')
  const header = await elfHeader(file).catch(unreadable)
  if (!header) throw unfit('it is not a 64-bit little-endian ELF file; a script has no interpreter in an image')
  if (header.arch !== arch) throw unfit(`it is for ${header.arch ?? 'another architecture'}, and the image for ${arch}`)
  if (!header.isProgram) throw unfit('it is no program: an object file, a library or a core dump')
  if (!header.isWhole) throw unfit('it is cut short')
  const { interpreter, libraries } = await elfNeeds(file)
  if (interpreter === undefined && libraries.length === 0) return
  const needs = [...(interpreter === undefined ? [] : [interpreter]), ...libraries].join(', ')
  throw unfit(`it is not static: it needs ${needs}`, 'link it statically; for Rust, build it for a -linux-musl target')
}
