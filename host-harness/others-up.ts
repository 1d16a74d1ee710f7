import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { runsUp } from './control-client.ts'
import { howToEnd } from './kept-run.ts'
import { pidOfRun, RUNS } from './run-dir.ts'

/** Before a run starts: says which others of this checkout are up, since all of them get slow by it, and how to end them. */
export async function sayOthersUp(say: (text: string) => void, runs: string = RUNS): Promise<void> {
  for (const runDir of await runsUp(runs)) {
    const pid = await pidOfRun(runDir)
    const end = pid === undefined ? '' : ` (pid ${pid}; to end it: ${howToEnd(pid)})`
    say(`run ${basename(runDir)}${end} is up too, and shares this host's ${availableParallelism()} processors`)
  }
}
