import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const RUNS = fileURLToPath(new URL('../build/runs', import.meta.url))
const KEPT_RUNS = 5
/** Younger ones may belong to a harness that runs now. */
const OLD_AFTER_MS = 3_600_000

/** A fresh directory for a run's logs; of the older ones the last few stay. */
export async function createRunDir(runId: string, runs: string = RUNS): Promise<string> {
  await mkdir(runs, { recursive: true })
  await prune(runs, Date.now() - OLD_AFTER_MS)
  const directory = join(runs, runId)
  await mkdir(directory)
  return directory
}

async function prune(runs: string, before: number): Promise<void> {
  const found = await Promise.all(
    (await readdir(runs)).map(async (name) => {
      const directory = join(runs, name)
      return { directory, at: (await stat(directory)).mtimeMs }
    }),
  )
  const old = found.sort((a, b) => b.at - a.at).slice(KEPT_RUNS - 1)
  for (const { directory, at } of old) if (at < before) await rm(directory, { recursive: true, force: true })
}
