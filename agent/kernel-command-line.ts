import { BOOT_PARAMETER, STAGE_PARAMETER } from './handover-layout.ts'

/** A word of the command line, a quoted stretch of it taken as one (kernel: lib/cmdline.c, next_arg). */
const WORD = /(?:"[^"]*"|[^\s"])+/g

/** What belongs to one boot only: the loader's own words, and what the fetch stage itself adds. */
const ONE_BOOT_ONLY = new Set([STAGE_PARAMETER, BOOT_PARAMETER, 'BOOT_IMAGE', 'initrd'])

/** Parameters by name, the last one of a name winning; a parameter without `=` has the empty string as its value. */
export function parseCommandLine(text: string): ReadonlyMap<string, string> {
  return new Map(words(text).map((word) => [nameIn(word), valueIn(word)] as const))
}

/**
 * The command line of the kernel that is kexeced: this kernel's own, so that console, run id and reports go on, with stage
 * and boot nonce of the boot to come.
 */
export function nextCommandLine(current: string, bootNonce: string): string {
  const kept = words(current).filter((word) => !ONE_BOOT_ONLY.has(nameIn(word)))
  return [...kept, ...handoverParameters(bootNonce)].join(' ')
}

/** What any init must add to the command line of a kernel that it kexecs with a handed-over set. */
export function handoverParameters(bootNonce: string): readonly string[] {
  return [`${STAGE_PARAMETER}=serve`, `${BOOT_PARAMETER}=${bootNonce}`]
}

function words(text: string): readonly string[] {
  return text.match(WORD) ?? []
}

function nameIn(word: string): string {
  return word.split('=', 1)[0]!.replaceAll('"', '')
}

function valueIn(word: string): string {
  const at = word.indexOf('=')
  return at < 0 ? '' : word.slice(at + 1).replaceAll('"', '')
}
