import { asArgument } from '../../service/cli-argument.ts'

const UNITS: Readonly<Record<string, number>> = { M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }
/** What init/data-disk takes at least. */
const LEAST_BYTES = 64 * UNITS.M!

/** `2G`, `512M` -> bytes. @throws Error for anything else */
export function diskSize(text: string): number {
  const [, number, unit] = /^(\d{1,6})([MGT])$/i.exec(text) ?? []
  const bytes = Number(number) * (UNITS[unit?.toUpperCase() ?? ''] ?? Number.NaN)
  if (bytes >= LEAST_BYTES && Number.isSafeInteger(bytes)) return bytes
  throw new Error('it is a number with M, G or T behind it, from 64M on.')
}

/** Option of the commands that start machines. @param whose `each machine`, or `the machine` */
export const diskOption = (whose: string) =>
  [
    '-D, --disk <size>',
    `give ${whose} a blank disk, such as 2G, which becomes its data disk`,
    asArgument(diskSize),
  ] as const
