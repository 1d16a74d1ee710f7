import { Option } from 'commander'
import { hostArch, parseArch } from '../../service/arch.ts'
import { asArgument } from '../../service/cli-argument.ts'
import { ROOTFS_CHOICES, type Rootfs } from '../rootfs.ts'

const MIN_MEMORY_MIB = 128
const MAX_MEMORY_MIB = 65_536

/** Options that several commands have, as commander takes them. */
export const ARCH = [
  '-A, --arch <arch>',
  'x86_64 (also amd64) or arm64 (also aarch64)',
  asArgument(parseArch),
  hostArch(),
] as const
/** What a machine needs to carry a set with that rootfs across kexec, and to run from it, with room to spare, MiB. */
export const DEFAULT_MEMORY: Readonly<Record<Rootfs, number>> = { none: 512, minimal: 512, debian: 1024 }
const defaults = ROOTFS_CHOICES.map((rootfs) => `${DEFAULT_MEMORY[rootfs]} with rootfs ${rootfs}`)
/** @param whose `each machine`, or `the machine` of a command that starts one */
export const memoryOption = (whose: string) =>
  [
    '-m, --memory <MiB>',
    `memory of ${whose} (default: ${defaults.join(', ')})`,
    whole(MIN_MEMORY_MIB, MAX_MEMORY_MIB),
  ] as const
export const rootfsOption = () =>
  new Option('--rootfs <flavour>', 'system of the serve stage; none is the initramfs itself')
    .choices(ROOTFS_CHOICES)
    .default('none')
export const RUN = [
  '-r, --run <id>',
  'which run, by its id or the beginning of it, or by the path of its directory (default: the newest that is up)',
] as const

/** A parser of whole numbers within bounds. */
export function whole(least: number, most: number): (text: string) => number {
  return asArgument((text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    throw new Error(`it is a whole number from ${least} to ${most}.`)
  })
}
