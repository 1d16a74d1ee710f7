import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { delimiter } from 'node:path/posix'
import { packageTrees } from './package-trees.ts'

const PROGRAMS = ['avahi-daemon', 'avahi-browse', 'dbus-daemon']
/** With the libraries that Debian does not have anyway. */
const PACKAGES = [
  ...['avahi-daemon', 'avahi-utils', 'dbus-daemon'],
  ...['libavahi-core7', 'libavahi-common3', 'libavahi-client3', 'libdaemon0', 'libdbus-1-3', 'libexpat1', 'libcap2'],
  ...['libapparmor1', 'libaudit1', 'libcap-ng0', 'libsystemd0'],
]

/**
 * Environment in which the real avahi can be run: what is installed here, or else Debian's packages, unpacked into the build
 * directory. They are never installed: that would start avahi-daemon on whoever's machine this is.
 * @param use names the place of the packages, since two test files cannot use one at a time
 */
export async function avahiHere(use: string): Promise<Record<string, string>> {
  const path = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter)
  if (PROGRAMS.every((program) => isThere(program, path))) return { PATH: path }
  const trees = await packageTrees(use, PACKAGES)
  const below = (...directories: string[]) =>
    trees.flatMap((tree) => directories.map((directory) => join(tree, directory)))
  const triplet = execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim()
  return {
    PATH: [...below('usr/sbin', 'usr/bin'), path].join(delimiter),
    LD_LIBRARY_PATH: below(`usr/lib/${triplet}-linux-gnu`, `lib/${triplet}-linux-gnu`).join(delimiter),
  }
}

function isThere(program: string, path: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { env: { PATH: path } })
    return true
  } catch {
    return false
  }
}
