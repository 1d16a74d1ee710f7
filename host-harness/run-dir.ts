import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const RUNS = fileURLToPath(new URL('../build/runs', import.meta.url))
const KEPT_RUNS = 5
/** Younger ones may belong to a harness that runs now. */
const OLD_AFTER_MS = 3_600_000

/** In a run's directory: the process that a signal to end the run goes to. */
const PID_FILE = 'pid'

/** A fresh directory for the logs of a run of this process; of the older ones the last few stay. */
export async function createRunDir(runId: string, runs: string = RUNS): Promise<string> {
  await mkdir(runs, { recursive: true })
  await prune(runs, Date.now() - OLD_AFTER_MS)
  const directory = join(runs, runId)
  await mkdir(directory)
  await writeFile(join(directory, PID_FILE), `${process.pid}\n`)
  return directory
}

/** Who started the run; undefined where nobody says. It lives exactly as long as the run is up. */
export async function pidOfRun(runDir: string): Promise<number | undefined> {
  return Number(await readFile(join(runDir, PID_FILE), 'utf8').catch(() => '')) || undefined
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
