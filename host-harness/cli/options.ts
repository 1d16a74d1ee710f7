import { hostArch, parseArch } from '../../service/arch.ts'
import { asArgument } from '../../service/cli-argument.ts'

const MIN_MEMORY_MIB = 128
const MAX_MEMORY_MIB = 65_536

/** Options that several commands have, as commander takes them. */
export const ARCH = ['-A, --arch <arch>', 'x86_64 or arm64', asArgument(parseArch), hostArch()] as const
/** Parser and default of `--memory`. */
export const MEMORY = [whole(MIN_MEMORY_MIB, MAX_MEMORY_MIB), 512] as const
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
