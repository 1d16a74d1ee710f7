import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostArch } from '../../service/arch.ts'
import type { TestSet } from './boot-set.ts'

/** Lays a set into a directory as `plasmd serve` has it. @returns the directory */
export async function putTree(root: string, { files, manifest, envelope }: TestSet): Promise<string> {
  const dir = join(root, 'stable', hostArch())
  await mkdir(dir, { recursive: true })
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(dir, name), bytes)
  await writeFile(join(dir, 'manifest.json'), manifest)
  if (envelope) await writeFile(join(dir, 'manifest.dsse.json'), envelope)
  return root
}
