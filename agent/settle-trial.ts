import { rm } from 'node:fs/promises'
import { storePaths } from '../service/store-layout.ts'
import { judgeTrial, type ThisBoot, type TrialVerdict, withBad } from './judge-trial.ts'
import { syncDirectory } from './store-files.ts'
import { readTrials, writeTrials } from './trial-file.ts'

/**
 * Judges the trial that a stage finds when it begins, and remembers what follows from it, before anything is chosen to be booted
 * or served. Doing it again changes nothing.
 * @throws PlasmError `freshness-state-invalid`
 */
export async function settleTrial(stateDirectory: string, storeRoot: string, boot: ThisBoot): Promise<TrialVerdict> {
  const trials = await readTrials(stateDirectory)
  const verdict = judgeTrial(trials, boot)
  if (verdict.is === 'failed') await writeTrials(stateDirectory, withBad(trials, verdict, new Date()))
  if (verdict.is === 'not-begun') await forgetTrial(stateDirectory, storeRoot)
  return verdict
}

/** A kernel that was to be started was not: what was left for it must not be taken for this one's. */
export async function forgetTrial(stateDirectory: string, storeRoot: string): Promise<void> {
  await rm(storePaths(storeRoot).handover, { recursive: true, force: true })
  await syncDirectory(storeRoot)
  await writeTrials(stateDirectory, { ...(await readTrials(stateDirectory)), trial: null })
}
