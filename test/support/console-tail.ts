import { glob, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { lineSplitter } from '../../host-harness/console.ts'

const LINES = 25

/** The last lines of every machine's console in a run's directory, for a failure's message. */
export async function consoleTails(runDir: string): Promise<string> {
  const logs = (await Array.fromAsync(glob('vm*.console.log', { cwd: runDir }))).sort()
  const tails = logs.map(async (log) => {
    const lines = lineSplitter()(await readFile(join(runDir, log)), 0).slice(-LINES)
    const shown = lines.map(({ text }) => `  | ${text}`)
    return [`the end of ${basename(log, '.console.log')}'s console (all of it: ${join(runDir, log)}):`, ...shown].join(
      '\n',
    )
  })
  return logs.length === 0 ? `no console in ${runDir}` : (await Promise.all(tails)).join('\n')
}
