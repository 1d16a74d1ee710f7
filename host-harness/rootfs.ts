/** Systems of the serve stage that a set can bring; `none`: the initramfs itself. */
export const ROOTFS_CHOICES = ['none', 'minimal', 'debian'] as const
export type Rootfs = (typeof ROOTFS_CHOICES)[number]
