import { readFileSync, writeFileSync } from 'node:fs'

export const SEQUENCE_FILE = '/run/plasm/report-seq'

/**
 * Numbers reports from 0 within a boot id. An agent that is started again in the same boot goes on counting, since a
 * reader takes a number that it has seen for a repetition. Where the file cannot be kept, counting starts anew.
 */
export function sequenceOf(bootId: string, file: string = SEQUENCE_FILE): () => number {
  let next = stored(bootId, file)
  return () => {
    const number = next++
    try {
      writeFileSync(file, `${bootId} ${next}\n`, { mode: 0o600 })
    } catch {
      // Not root, or no /run/plasm: the number in memory is right for this process.
    }
    return number
  }
}

function stored(bootId: string, file: string): number {
  try {
    const [boot, number] = readFileSync(file, 'utf8').split(' ')
    const next = Number(number)
    return boot === bootId && Number.isSafeInteger(next) ? next : 0
  } catch {
    return 0
  }
}
