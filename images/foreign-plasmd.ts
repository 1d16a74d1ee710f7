import { copyFile, mkdir, stat, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { checkPlasmdProgram } from '../service/plasmd-program.ts'
import { placeProgram, sha256File } from './files.ts'
import type { ForeignPlasmdInput } from './inputs.ts'

/** A program of somebody else's that is baked in as `plasmd`: checked, and copied to where it no longer changes. */
export interface ForeignPlasmd {
  readonly file: string
  readonly input: ForeignPlasmdInput
}

/**
 * Takes a copy of a foreign plasmd into a directory, after looking whether it can run in an image.
 * @param locked the one that a locked build was made with, if any
 * @throws PlasmError `plasmd-unfit` of plasmd-program.ts | `plasmd-changed` (facts: `file`, `expected`, `found`)
 */
export async function takeForeignPlasmd(
  file: string,
  arch: Arch,
  work: string,
  locked?: ForeignPlasmdInput,
): Promise<ForeignPlasmd> {
  await checkPlasmdProgram(file, arch)
  await mkdir(work, { recursive: true })
  const copy = join(work, 'foreign-plasmd')
  await copyFile(file, copy)
  // What is baked in is the copy; the file may have changed meanwhile.
  await checkPlasmdProgram(copy, arch, file)
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
