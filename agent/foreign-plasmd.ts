import { constants } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'

/**
 * Whether the plasmd of this machine is somebody else's program, which speaks INTEROP.md and nothing beyond it. Ours is this
 * very executable under another name (DESIGN decision 1), so whatever resolves to another file is foreign. Nothing is run to
 * find out: in an emulated guest that takes seconds. A program that is not there counts as ours; starting it says so.
 * @param program a path, or a name to be looked for in `path`
 * @param path directories, as in PATH
 */
export async function isForeign(program: string, path: string = process.env.PATH ?? ''): Promise<boolean> {
  const places = isAbsolute(program) ? [program] : path.split(delimiter).map((directory) => join(directory, program))
  for (const place of places) {
    const found = await resolved(place)
    if (found !== undefined) return found !== process.execPath
  }
  return false
}

async function resolved(place: string): Promise<string | undefined> {
  try {
    await access(place, constants.X_OK)
    return await realpath(place)
  } catch {
    return undefined
  }
}
