import type { AgentEvent } from './events.ts'

/** A guest's serial console costs an emulated exit per byte: progress is a line every few seconds, not every event. */
const PROGRESS_EVERY_MS = 3000

const RED = '\x1b[31m'
const GREEN = '\x1b[32m'
const RESET = '\x1b[0m'

export interface EventLines {
  /** The line for a person, or undefined when the event is not worth one. */
  ofEvent(event: AgentEvent): string | undefined
  ofMessage(message: string): string
}

/** @param now milliseconds, any epoch */
export function eventLines(
  look: { program: string; colour: boolean },
  now: () => number = () => performance.now(),
): EventLines {
  let provider: string | undefined
  let lastProgress = Number.NEGATIVE_INFINITY
  const line = (text: string, colour = '') =>
    look.colour && colour ? `${colour}${printable(text)}${RESET}` : printable(text)
  const own = (text: string, colour?: string) => line(`${look.program}: ${text}`, colour)
  return {
    ofMessage: (message) => own(message),
    ofEvent(event) {
      switch (event.type) {
        case 'stage-started':
          return own(`${event.stage} stage, version ${event.version} (${event.commit})`)
        case 'step-started':
          return undefined
        case 'step-done':
          return own(`${event.step} ${event.milliseconds} ms`)
        case 'step-skipped':
          return own(`${event.step} skipped: ${event.reason}`)
        case 'step-failed': {
          const { code, message, hint } = event.error
          const blame = event.provider ? ` (provider ${event.provider})` : ''
          return own(`${event.step} failed: ${message} [${code}]${blame}${hint ? `; ${hint}` : ''}`, RED)
        }
        case 'network-up':
          return own(`network up at ${event.uptime.toFixed(2)} s: ${event.addresses.join(', ')}`)
        case 'candidate': {
          if (event.verdict === 'chosen') provider = event.url
          const generation = event.generation === null ? '' : `, generation ${event.generation}`
          const reason = event.reason ? `: ${event.reason}` : ''
          return own(`${event.verdict} ${event.url} (${event.source}${generation})${reason}`)
        }
        case 'progress': {
          if (now() - lastProgress < PROGRESS_EVERY_MS) return undefined
          lastProgress = now()
          return own(`fetch ${mib(event.bytes)} of ${mib(event.totalBytes)} MiB${provider ? ` from ${provider}` : ''}`)
        }
        case 'kexec':
          return own(`kexec into ${short(event.manifestDigest)} from ${event.provider}`)
        case 'ready': {
          const { record, release } = event
          const facts = [
            `generation=${record.generation}`,
            `set=${short(record.set.manifestDigest)}`,
            `from=${record.provider.url}`,
            `at=${event.address}:${event.port}`,
            `lowest=${event.memory.lowestAvailableMiB}MiB`,
            ...(release === null ? [] : [`release=${release.replaceAll(/\s+/g, ' ')}`]),
          ]
          return line(`plasm: ready ${facts.join(' ')}`, GREEN)
        }
        case 'not-ready':
          return line(`plasm: not ready: ${event.reason}`, RED)
      }
    },
  }
}

/** `sha256:` and twelve digits: enough to tell sets apart by eye. */
export const short = (digest: string): string => digest.slice(0, 'sha256:'.length + 12)

export const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1)

/** Reasons and names come from the network: none of them may move the reader's cursor. */
export const printable = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ')
