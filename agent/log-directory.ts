import { statSync } from 'node:fs'
import { LOG_DIRECTORY, RUN_DIRECTORY } from './state-directory.ts'

/** Where agent and plasmd log: on the data disk where there is one, so that it outlives the machine; else in RAM. */
export function logDirectory(runDirectory: string = RUN_DIRECTORY): string {
  // A test's own place is meant.
  if (runDirectory !== RUN_DIRECTORY) return runDirectory
  return statSync(LOG_DIRECTORY, { throwIfNoEntry: false })?.isDirectory() ? LOG_DIRECTORY : RUN_DIRECTORY
}
