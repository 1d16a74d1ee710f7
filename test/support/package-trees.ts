import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openAptRoot } from '../../images/apt-root.ts'
import { IMAGE_ARCHES } from '../../images/arch-table.ts'
import { BUILD } from '../../images/files.ts'
import type { PackageInput } from '../../images/inputs.ts'
import { hostArch } from '../../service/arch.ts'

/**
 * Debian packages of this architecture, downloaded and unpacked into directories. They stay in the build directory, and the
 * network is not asked again.
 * @param use names an apt root of its own, since two programs cannot use one at a time
 */
export async function packageTrees(use: string, names: readonly string[]): Promise<readonly string[]> {
  const directory = join(BUILD, 'apt', `${hostArch()}-${use}`)
  const apt = await openAptRoot(directory, IMAGE_ARCHES[hostArch()].debian)
  const takenFile = join(directory, 'taken.json')
  const taken: Record<string, PackageInput> = JSON.parse(await readFile(takenFile, 'utf8').catch(() => '{}'))
  const trees: string[] = []
  for (const name of names) {
    const { tree, version, sha256 } = await apt.take(name, taken[name]).catch(() => apt.take(name))
    taken[name] = { name, version, sha256 }
    trees.push(tree)
  }
  await writeFile(takenFile, JSON.stringify(taken))
  return trees
}
