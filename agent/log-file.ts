import { renameSync, statSync } from 'node:fs'
import { pino } from 'pino'

export interface LogFile {
  write(text: string): void
}

/** In a guest /run is RAM, so a log has a bound: this much in the file, and as much again in `<file>.1`. */
const MAX_BYTES = 8 * 1024 * 1024

/**
 * Appends to a file, synchronously, since a kexec or a crash waits for nobody. A log that cannot be written must not
 * stop a boot: then nothing is written, silently.
 */
export function openLogFile(file: string, maxBytes: number = MAX_BYTES): LogFile {
  const destination = open(file)
  if (!destination) return { write: () => {} }
  destination.on('error', () => {})
  let bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  return {
    write(text) {
      if (bytes > maxBytes) {
        rotate(file)
        destination.reopen(file)
        bytes = 0
      }
      bytes += Buffer.byteLength(text)
      destination.write(text)
    },
  }
}

function open(file: string) {
  try {
    return pino.destination({ dest: file, sync: true, mkdir: true, append: true })
  } catch {
    return undefined
  }
}

function rotate(file: string): void {
  try {
    renameSync(file, `${file}.1`)
  } catch {
    // Gone or not ours: the reopened file says the rest.
  }
}
