import { copyFile, mkdir, stat, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { elfHeader, elfNeeds } from './elf.ts'
import { placeProgram, sha256File } from './files.ts'
import type { ForeignPlasmdInput } from './inputs.ts'

/** A program of somebody else's that is baked in as `plasmd`: checked, and copied to where it no longer changes. */
export interface ForeignPlasmd {
  readonly file: string
  readonly input: ForeignPlasmdInput
}

/**
 * Takes a copy of a foreign plasmd into a directory, after looking whether it can run in an image: images have no libraries for
 * it, so it is a static program of the image's architecture.
 * @param locked the one that a locked build was made with, if any
 * @throws PlasmError `plasmd-unfit` (facts: `file`, `problem`) | `plasmd-changed` (facts: `file`, `expected`, `found`)
 */
export async function takeForeignPlasmd(
  file: string,
  arch: Arch,
  work: string,
  locked?: ForeignPlasmdInput,
): Promise<ForeignPlasmd> {
  const unfit = (problem: string, hint?: string) =>
    new PlasmError('plasmd-unfit', `${file} cannot be baked in as plasmd: ${problem}`, {
      facts: { file, problem },
      hint: hint ?? 'name a static Linux program with the command line of `plasmd serve`',
    })
  const found = await stat(file).catch((thrown: NodeJS.ErrnoException) => {
    throw unfit(thrown.code === 'ENOENT' ? 'there is no such file' : thrown.message)
  })
  if (!found.isFile()) throw unfit('it is not a file')
  await mkdir(work, { recursive: true })
  const copy = join(work, 'foreign-plasmd')
  await copyFile(file, copy)
  const header = await elfHeader(copy)
  if (!header) throw unfit('it is not a 64-bit little-endian ELF file; a script has no interpreter in an image')
  if (header.arch !== arch) throw unfit(`it is for ${header.arch ?? 'another architecture'}, and the image for ${arch}`)
  if (!header.isProgram) throw unfit('it is no program: an object file, a library or a core dump')
  if (!header.isWhole) throw unfit('it is cut short')
  const { interpreter, libraries } = await elfNeeds(copy)
  if (interpreter !== undefined || libraries.length > 0) {
    const needs = [...(interpreter === undefined ? [] : [interpreter]), ...libraries].join(', ')
    throw unfit(
      `it is not static: it needs ${needs}`,
      'link it statically; for Rust, build it for a -linux-musl target',
    )
  }
  const input = { file: basename(file), bytes: (await stat(copy)).size, sha256: await sha256File(copy) }
  if (locked && locked.sha256 !== input.sha256) {
    throw new PlasmError('plasmd-changed', `${file} is not the plasmd that the locked image was built with`, {
      facts: { file, expected: locked.sha256, found: input.sha256 },
      hint: 'name the same program, or build without --locked',
    })
  }
  return { file: copy, input }
}

/**
 * Puts plasmd beside plasm-agent into an image's directory of programs: the agent under another name (DESIGN decision 1), or a
 * foreign one. The agent sees by this which of them it has (agent/foreign-plasmd.ts).
 */
export async function placePlasmd(bin: string, foreign: ForeignPlasmd | undefined): Promise<void> {
  const target = join(bin, 'plasmd')
  if (foreign) await placeProgram(foreign.file, target)
  else await symlink('plasm-agent', target)
}
