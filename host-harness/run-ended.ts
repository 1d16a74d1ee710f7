import { basename } from 'node:path'
import { PlasmError } from '../service/errors.ts'

/** For who waits for something that a run no longer does. */
export const runEnded = (runDir: string) =>
  new PlasmError('run-ended', `run ${basename(runDir)} ended, and its machines with it, before this was done`, {
    facts: { step: 'control' },
    hint: `its logs are in ${runDir}`,
  })
