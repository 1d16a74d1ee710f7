/** What a transfer or an editor leaves behind while a file is not whole yet. */
const UNFINISHED = /(\.(part|partial|tmp|temp|incoming|download|crdownload|filepart|new)|~)$/i

/** Files that lie beside an artifact and share its name's beginning, without being one. */
const SIDECAR = /\.(sha256|sha256sum|sig|asc|pem|json|txt|log|map|old|bak)$/i

interface RolePattern {
  readonly role: string
  /** Names that settle the matter where several files match, best first. */
  readonly exact: readonly string[]
  readonly pattern: RegExp
}

/** INTEROP: file aliases of artifact names. `kernel` itself is what images/ publishes. */
const PATTERNS: readonly RolePattern[] = [
  { role: 'kernel', exact: ['kernel', 'vmlinuz', 'bzImage', 'Image'], pattern: /^(vmlinuz|bzImage)/ },
  { role: 'initramfs', exact: ['initramfs', 'initrd'], pattern: /^(initramfs|initrd)/ },
  { role: 'rootfs', exact: ['rootfs'], pattern: /^rootfs/ },
]
const DTB = /^dtb-[A-Za-z0-9._+-]{1,64}$/

/** Whether a name may be served or listed at all: one path component, neither hidden nor unfinished. */
export function isServable(name: string): boolean {
  return !name.startsWith('.') && !UNFINISHED.test(name) && !/[/\0]/.test(name) && name !== ''
}

export interface RoleTable {
  /** Role to file name, in the order kernel, initramfs, rootfs, dtb-*. */
  readonly files: ReadonlyMap<string, string>
  /** Roles that several files claim with equal right; nobody guesses between them. */
  readonly ambiguous: ReadonlyMap<string, readonly string[]>
}

/** Finds which file of a directory has which role. Pure. */
export function rolesOf(names: readonly string[]): RoleTable {
  const artifacts = names.filter((name) => isServable(name) && !SIDECAR.test(name)).sort()
  const files = new Map<string, string>()
  const ambiguous = new Map<string, readonly string[]>()
  for (const { role, exact, pattern } of PATTERNS) {
    const matching = artifacts.filter((name) => exact.includes(name) || pattern.test(name))
    const chosen = exact.find((name) => matching.includes(name)) ?? (matching.length === 1 ? matching[0] : undefined)
    if (chosen !== undefined) files.set(role, chosen)
    else if (matching.length > 1) ambiguous.set(role, matching)
  }
  for (const name of artifacts) if (DTB.test(name)) files.set(name, name)
  return { files, ambiguous }
}
