import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { emptyDir, placeProgram, progress } from './files.ts'
import { type ForeignPlasmd, placePlasmd } from './foreign-plasmd.ts'
import { makeSquashfs } from './squashfs.ts'

/**
 * agent.sqfs: the executable under both its names (or beside a foreign plasmd), the programs that agent and init run, and the
 * shared libraries of all of them, flat in lib/.
 */
export async function buildAgentSquashfs(
  contents: {
    readonly executable: string
    readonly plasmd: ForeignPlasmd | undefined
    /** Name -> file: kexec, and what makes and mends the data disk. */
    readonly programs: ReadonlyMap<string, string>
    readonly libraries: ReadonlyMap<string, string>
  },
  work: string,
  output: string,
): Promise<void> {
  const root = await emptyDir(join(work, 'agent'))
  await mkdir(join(root, 'bin'))
  await mkdir(join(root, 'lib'))
  const place = (from: string, to: string) => placeProgram(from, join(root, to))
  await place(contents.executable, 'bin/plasm-agent')
  await placePlasmd(join(root, 'bin'), contents.plasmd)
  for (const [name, file] of contents.programs) await place(file, join('bin', name))
  for (const [soname, file] of contents.libraries) await place(file, join('lib', soname))
  progress('compressing the executable')
  await makeSquashfs(root, output)
}
