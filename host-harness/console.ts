import { StringDecoder } from 'node:string_decoder'

/** One line of a guest's serial console. */
export interface ConsoleLine {
  /** When its end was seen, milliseconds of `performance.now()`. */
  readonly at: number
  readonly text: string
}

/** What firmware and terminals write between the text: CSI sequences (ECMA-48), other escapes, control characters. */
const CONTROL = /\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0b-\x1f\x7f]/g
/** The time that printk puts before a line tells the kernel's own words from a program's. */
const KERNEL_BANNER = /\[\s*\d+\.\d+\] Linux version /
const KERNEL_COMMAND_LINE = /\[\s*\d+\.\d+\] Kernel command line: /
/** In a kernel's own words, as it was given to it. */
const BOOT_NONCE = / plasm\.boot=([0-9a-f]{32})(?= |$)/
const STAGE = /plasm: (fetch|serve) stage, release (\S+)/
const SWITCH = /plasm: switching to rootfs (\S+)/
const KEXEC = /plasm: kexec into (sha256:[0-9a-f]{12}) from (\S+)/

/** Cuts a byte stream into lines, without control characters. Bytes that are not UTF-8 become U+FFFD. */
export function lineSplitter(): (chunk: Uint8Array, at: number) => ConsoleLine[] {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  return (chunk, at) => {
    const parts = (rest + decoder.write(Buffer.from(chunk))).split('\n')
    rest = parts.pop() ?? ''
    return parts.map((part) => ({ at, text: part.replaceAll(CONTROL, '') }))
  }
}

export interface StageLine {
  readonly stage: 'fetch' | 'serve'
  /** Content of /etc/plasm/release, null for none. */
  readonly release: string | null
  /** How many kernel banners stand before it. */
  readonly banners: number
}

/** What a console shows, in its order. */
export interface ConsoleFacts {
  /** When each kernel's banner was seen. */
  readonly banners: readonly number[]
  readonly commandLines: number
  /** `plasm.boot=` on the second kernel command line. */
  readonly bootNonce: string | null
  readonly stages: readonly StageLine[]
  /** Flavour of the rootfs that the second kernel's init last said it switches to; null when it said nothing of it. */
  readonly rootfs: string | null
  /** When the agent last said that it kexecs. */
  readonly kexecAt: number | null
}

export function consoleFacts(lines: readonly ConsoleLine[]): ConsoleFacts {
  const banners: number[] = []
  const stages: StageLine[] = []
  let commandLines = 0
  let bootNonce: string | null = null
  let rootfs: string | null = null
  let kexecAt: number | null = null
  for (const { at, text } of lines) {
    if (KERNEL_BANNER.test(text)) banners.push(at)
    if (KERNEL_COMMAND_LINE.test(text)) {
      commandLines += 1
      if (commandLines === 2) bootNonce = BOOT_NONCE.exec(text)?.[1] ?? null
    }
    if (banners.length === 2) rootfs = SWITCH.exec(text)?.[1] ?? rootfs
    if (KEXEC.test(text) && banners.length === 1) kexecAt = at
    const [, stage, release] = STAGE.exec(text) ?? []
    if (stage && release) {
      const released = release === 'none' ? null : release
      stages.push({ stage: stage as StageLine['stage'], release: released, banners: banners.length })
    }
  }
  return { banners, commandLines, bootNonce, stages, rootfs, kexecAt }
}

/** In a word or two, what a line says about where its machine is; undefined when it says nothing of the kind. */
export function doingOf(line: string): string | undefined {
  if (KERNEL_BANNER.test(line)) return 'kernel'
  const stage = STAGE.exec(line)
  if (stage) return `${stage[1]} stage`
  return KEXEC.test(line) ? 'kexec' : undefined
}
