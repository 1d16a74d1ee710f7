import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { elfNeeds } from '../service/elf.ts'
import { PlasmError } from '../service/errors.ts'
import type { AptRoot, DebianPackage } from './apt-root.ts'
import { exists } from './files.ts'

/** A program to ship, and the package whose dependencies bring its libraries. */
export interface Program {
  readonly file: string
  readonly package: string
}

export interface LibraryClosure {
  /** Soname -> file in a package's tree. */
  readonly files: ReadonlyMap<string, string>
  /** Every package that one of the files came from. */
  readonly packages: readonly DebianPackage[]
}

/**
 * The shared libraries that the programs need, and those that they need in turn: read from the ELF files. A name is looked
 * for in the packages already taken, then in what those depend on, one level at a time.
 * @throws PlasmError `library-missing` naming the library and who needs it
 */
export async function libraryClosure(
  programs: readonly Program[],
  apt: AptRoot,
  take: (name: string) => Promise<DebianPackage>,
): Promise<LibraryClosure> {
  const files = new Map<string, string>()
  const searched = new Map<string, DebianPackage>()
  const used = new Map<string, DebianPackage>()
  const queue = [...programs]

  const search = async (soname: string, from: string): Promise<{ file: string; owner: DebianPackage } | undefined> => {
    let level = [from]
    const seen = new Set<string>()
    while (level.length > 0) {
      for (const name of level) {
        seen.add(name)
        const owner = searched.get(name) ?? (await take(name))
        searched.set(name, owner)
        const file = await findLibrary(owner.tree, soname)
        if (file) return { file, owner }
      }
      const next = await Promise.all(level.map((name) => apt.dependencies(name)))
      // Libraries live in packages that are named after them (Debian Policy 8.1), or in the C library's.
      level = [...new Set(next.flat())].filter((name) => /^(lib|zlib)/.test(name) && !seen.has(name))
    }
    return undefined
  }

  for (let program = queue.shift(); program; program = queue.shift()) {
    const { libraries, interpreter } = await elfNeeds(program.file)
    for (const soname of interpreter ? [basename(interpreter), ...libraries] : libraries) {
      if (files.has(soname)) continue
      const found = await search(soname, program.package)
      if (!found) {
        throw new PlasmError(
          'library-missing',
          `${program.file} needs ${soname}, which no dependency of ${program.package} has`,
          {
            facts: { program: program.file, library: soname, package: program.package },
          },
        )
      }
      files.set(soname, found.file)
      used.set(found.owner.name, found.owner)
      queue.push({ file: found.file, package: found.owner.name })
    }
  }
  return { files, packages: [...used.values()] }
}

async function findLibrary(tree: string, soname: string): Promise<string | undefined> {
  for (const dir of ['lib', 'usr/lib', 'lib64', 'usr/lib64']) {
    const base = join(tree, dir)
    if (!(await exists(base))) continue
    const multiarch = (await readdir(base, { withFileTypes: true })).filter((entry) => entry.isDirectory())
    for (const place of ['', ...multiarch.map((entry) => entry.name).filter((name) => name.includes('linux-gnu'))]) {
      if (await exists(join(base, place, soname))) return join(base, place, soname)
    }
  }
  return undefined
}
