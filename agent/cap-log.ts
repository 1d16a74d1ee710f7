import { copyFileSync, statSync, truncateSync } from 'node:fs'

/** As much as log-file.ts lets a log grow to. */
const MAX_BYTES = 8 * 1024 * 1024

/**
 * Keeps a log small that another program appends to by itself (O_APPEND), and cannot be told to open it anew: what it held goes
 * to `<file>.1`, as in log-file.ts. A line written meanwhile may be lost. Never throws.
 */
export function capLog(file: string, maxBytes: number = MAX_BYTES): void {
  try {
    if (statSync(file).size <= maxBytes) return
    copyFileSync(file, `${file}.1`)
    truncateSync(file)
  } catch {
    // No log, or no room for a copy of it: looked at again next time.
  }
}
