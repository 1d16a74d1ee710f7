import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { EPOCH, REPOSITORY } from './files.ts'
import type { Inputs } from './inputs.ts'

/** One digest over everything that decides what comes out, apart from the day's package versions. */
export async function sourcesDigest(locked: Inputs | undefined, trustDirectory: string): Promise<string> {
  const hash = createHash('sha256')
    .update(JSON.stringify(locked ?? null))
    .update(String(EPOCH))
  const sources = ['agent', 'service', 'images', 'init'].map((dir) => join(REPOSITORY, dir))
  for (const dir of [...sources, trustDirectory]) {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    for (const file of files.sort()) hash.update(relative(REPOSITORY, file)).update(await readFile(file))
  }
  return hash.update(await readFile(join(REPOSITORY, 'package-lock.json'))).digest('hex')
}
