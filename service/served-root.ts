import { constants } from 'node:fs'
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { ARCHES, type Arch, canonicalArch } from './arch.ts'
import { artifactFiles, isServable, roleOf } from './artifact-files.ts'
import type { OpenFile } from './digest-cache.ts'
import { PlasmError } from './errors.ts'

/** Files that are handed on byte for byte and are no artifacts. */
export const DOCUMENTS = ['manifest.json', 'manifest.dsse.json'] as const

export interface SetPlace {
  readonly channel: string
  readonly arch: Arch
  /** The directory itself, links resolved. */
  readonly dir: string
}

/** The directory tree behind a provider: `<root>/<channel>/<arch>/<file>`. Nothing outside it is ever opened. */
export interface ServedRoot {
  readonly path: string
  /** The set of a channel and an architecture under any of its names, or undefined. */
  set(channel: string, arch: string): Promise<SetPlace | undefined>
  sets(): Promise<readonly SetPlace[]>
  /** Opens a file of a set by its name or by its role; the caller closes it. Undefined when there is none to serve. */
  open(place: SetPlace, name: string): Promise<OpenFile | undefined>
}

/** @throws PlasmError `artifacts-missing` */
export async function openServedRoot(dir: string): Promise<ServedRoot> {
  const path = await realpath(dir).catch((cause) => {
    throw new PlasmError('artifacts-missing', `the artifacts directory ${dir} cannot be read`, {
      cause,
      facts: { directory: dir },
      hint: 'make it, or name another with --artifacts',
    })
  })
  const inside = (candidate: string) => candidate.startsWith(path + sep)

  const set = async (channel: string, archName: string): Promise<SetPlace | undefined> => {
    const arch = canonicalArch(archName)
    if (!arch || !isServable(channel)) return undefined
    for (const name of namesOf(arch)) {
      const dir = await realpath(join(path, channel, name)).catch(() => undefined)
      if (dir && inside(dir) && (await stat(dir)).isDirectory()) return { channel, arch, dir }
    }
    return undefined
  }

  return {
    path,
    set,
    async sets() {
      const channels = (await readdir(path)).filter(isServable)
      const found = await Promise.all(channels.flatMap((channel) => ARCHES.map((arch) => set(channel, arch))))
      return found.filter((place) => place !== undefined)
    },
    async open(place, name) {
      const filename = await fileNamed(place.dir, name)
      return filename === undefined ? undefined : openFile(join(place.dir, filename), inside)
    },
  }
}

/** The canonical name first, then what other tools may have called the directory. */
function namesOf(arch: Arch): readonly string[] {
  return arch === 'x86_64' ? ['x86_64', 'amd64'] : ['arm64', 'aarch64']
}

async function fileNamed(dir: string, name: string): Promise<string | undefined> {
  if (!isServable(name)) return undefined
  if ((DOCUMENTS as readonly string[]).includes(name)) return name
  const files = await artifactFiles(dir).catch(() => undefined)
  const byRole = files?.get(name as never)
  // A file's own name wins over a role; anything that plays no role is not an artifact.
  const exists = await stat(join(dir, name)).then(
    () => true,
    () => false,
  )
  if (exists) return roleOf(name) ? name : undefined
  return byRole
}

/** Opened once without following a link and served from that descriptor, so that a set swapped meanwhile changes nothing. */
async function openFile(file: string, inside: (path: string) => boolean): Promise<OpenFile | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  )
  if (!handle) return undefined
  const info = await handle.stat({ bigint: true })
  if (!info.isFile() || !inside(file)) {
    await handle.close()
    return undefined
  }
  const identity = [info.dev, info.ino, info.size, info.mtimeNs, info.ctimeNs].join(':')
  return { handle, size: Number(info.size), identity }
}

/** What the machine says about itself (service/store-layout.ts); an origin has no such file and is generation 0. */
export async function readProviderFile(file: string): Promise<{ machine: string | null; generation: number }> {
  try {
    const document = JSON.parse(await readFile(file, 'utf8')) as { machine?: unknown; generation?: unknown }
    const generation = Number.isSafeInteger(document.generation) ? (document.generation as number) : 0
    return { machine: typeof document.machine === 'string' ? document.machine : null, generation }
  } catch {
    return { machine: null, generation: 0 }
  }
}
