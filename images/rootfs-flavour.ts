/** The systems that a boot set can bring for the serve stage; `none`: the initramfs itself is that system. */
export const ROOTFS_FLAVOURS = ['minimal', 'debian'] as const
export type RootfsFlavour = (typeof ROOTFS_FLAVOURS)[number]

/** File inside a rootfs that names its flavour; init and the agent read it. */
export const FLAVOUR_FILE = 'etc/plasm/rootfs'

/** @returns undefined for `none` @throws Error with a sentence for the command line */
export function parseRootfs(text: string): RootfsFlavour | undefined {
  const found = ROOTFS_FLAVOURS.find((flavour) => flavour === text)
  if (found || text === 'none') return found
  throw new Error(`it is one of none, ${ROOTFS_FLAVOURS.join(', ')}.`)
}
