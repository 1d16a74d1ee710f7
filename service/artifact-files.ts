import { readdir } from 'node:fs/promises'
import type { ArtifactRole } from './manifest.ts'

/** File names that an artifact may have on disk (INTEROP: artifact names have file aliases), first match wins. */
const ALIASES: ReadonlyArray<readonly [ArtifactRole, RegExp]> = [
  ['kernel', /^(kernel|vmlinuz.*|bzImage.*|Image)$/],
  ['initramfs', /^(initramfs|initrd).*$/],
  ['rootfs', /^rootfs.*$/],
]

/** Never served and never listed: hidden names, and what some program is still writing. */
export function isServable(name: string): boolean {
  return (
    /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/.test(name) &&
    !/\.(part|partial|tmp|incoming|download|crdownload)$/i.test(name)
  )
}

/** The role a file plays in a boot set, or undefined when it plays none. */
export function roleOf(filename: string): ArtifactRole | undefined {
  if (!isServable(filename)) return undefined
  if (filename.startsWith('dtb-')) return filename as ArtifactRole
  return ALIASES.find(([, pattern]) => pattern.test(filename))?.[0]
}

/** Role -> file name, of a directory. Where several files could play a role, the first by name does. */
export async function artifactFiles(dir: string): Promise<ReadonlyMap<ArtifactRole, string>> {
  const found = new Map<ArtifactRole, string>()
  for (const name of (await readdir(dir)).sort()) {
    const role = roleOf(name)
    if (role && !found.has(role)) found.set(role, name)
  }
  return found
}
