import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

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
  let fd: number | undefined
  let bytes = 0
  const open = () => {
    mkdirSync(dirname(file), { recursive: true })
    fd = openSync(file, 'a')
    bytes = fstatSync(fd).size
  }
  const rotate = () => {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
    quietly(() => renameSync(file, `${file}.1`))
    open()
  }
  quietly(open)
  return {
    write(text) {
      quietly(() => {
        if (bytes > maxBytes) rotate()
        if (fd !== undefined) bytes += writeSync(fd, text)
      })
    },
  }
}

function quietly(work: () => void): void {
  try {
    work()
  } catch {
    // No room, or the directory is gone: the console has the same lines.
  }
}
