import { mkdir, rm, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { artifactsOf } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import type { ClosingFile } from './carry-plan.ts'
import type { StoredSet } from './publish.ts'
import { PRIVATE_FILE, syncDirectory, writeWhole } from './store-files.ts'

const PRIVATE_DIRECTORY = 0o700

/**
 * What crosses kexec on the data disk, under the names that the carried files have (handover-layout.ts): the artifacts as
 * relative links into the store's set, and small files. The manifest comes last: without it there is no handover.
 */
export async function writeHandoverDirectory(
  root: string,
  { dir, verified }: StoredSet,
  files: readonly ClosingFile[],
): Promise<void> {
  const { handover } = storePaths(root)
  await rm(handover, { recursive: true, force: true })
  await mkdir(handover, { mode: PRIVATE_DIRECTORY })
  for (const { role, filename } of artifactsOf(verified.manifest)) {
    await symlink(relative(handover, join(dir, filename)), join(handover, role))
  }
  for (const { name, bytes } of files) await writeWhole(join(handover, name), bytes, PRIVATE_FILE)
  await syncDirectory(root)
  await writeWhole(join(handover, verified.file), verified.bytes, PRIVATE_FILE)
}
