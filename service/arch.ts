import { PlasmError } from './errors.ts'

/** Canonical architecture names: directory names, manifest `arch`, TXT `arch`. */
export type Arch = 'x86_64' | 'arm64'

/** Every name a client may use for an architecture (INTEROP: aliases are one name). */
const ALIASES: Readonly<Record<string, Arch>> = { x86_64: 'x86_64', amd64: 'x86_64', arm64: 'arm64', aarch64: 'arm64' }

export const ARCHES: readonly Arch[] = ['x86_64', 'arm64']

/** The canonical name for an alias, or undefined when it is not an architecture known here. */
export function canonicalArch(name: string): Arch | undefined {
  return Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined
}

/** Every name of an architecture, the canonical one first. */
export function archNames(arch: Arch): readonly string[] {
  return [arch, ...Object.keys(ALIASES).filter((alias) => alias !== arch && ALIASES[alias] === arch)]
}

/** Like {@link canonicalArch}, for input that must be one. @throws PlasmError `unknown-arch` */
export function parseArch(name: string): Arch {
  const arch = canonicalArch(name)
  if (arch) return arch
  throw new PlasmError('unknown-arch', `unknown architecture "${name}"`, {
    facts: { arch: name },
    hint: `use one of ${Object.keys(ALIASES).join(', ')}`,
  })
}

/** The canonical name of the machine this runs on. */
export function hostArch(): Arch {
  return process.arch === 'arm64' ? 'arm64' : 'x86_64'
}
