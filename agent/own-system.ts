import { readFile } from 'node:fs/promises'
import type { ServiceManager } from './service-owner.ts'

/** Names the rootfs that a machine runs from; absent where it is the initramfs itself. */
export const ROOTFS_FILE = '/etc/plasm/rootfs'

/** The system of the serve stage. */
export interface OwnSystem {
  /** Flavour of the rootfs, such as `minimal`; `none`: the initramfs itself. */
  readonly rootfs: string
  /** Who restarts plasmd. */
  readonly serviceManager: ServiceManager
}

export async function ownSystem(rootfsFile: string, serviceManager: ServiceManager): Promise<OwnSystem> {
  const flavour = await readFile(rootfsFile, 'utf8').catch(() => '')
  return { rootfs: flavour.trim() || 'none', serviceManager }
}

/** What a report says of it; agents that do not say run from the initramfs. */
export function reportedSystem({ system }: { readonly system?: OwnSystem }): OwnSystem {
  return system ?? { rootfs: 'none', serviceManager: 'agent' }
}
