import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const STAND_IN = fileURLToPath(new URL('foreign-plasmd.ts', import.meta.url))

/** Writes an executable `plasmd` that is foreign-plasmd.ts, with a fault where one is named. @returns its path */
export async function foreignProgram(directory: string, fault = ''): Promise<string> {
  const file = join(directory, `plasmd${fault && `-${fault}`}`)
  await writeFile(file, `#!/bin/sh\nFOREIGN_FAULT=${fault} exec '${process.execPath}' '${STAND_IN}' "$@"\n`)
  await chmod(file, 0o755)
  return file
}
