import { asPlasmError } from '../service/errors.ts'
import { remember } from './freshness-file.ts'
import { unpublish } from './publish.ts'
import { readRecord, writeRecord } from './record-file.ts'
import type { Server } from './serve-server.ts'
import type { Served } from './served.ts'

/**
 * The self-check, and what follows from it: a set that holds is remembered as used (freshness-file.ts); a stored file that is wrong is served to nobody, so the set is taken out of service
 * at once. The record stays behind, to say which set is to be fetched again (mend.ts).
 * @throws PlasmError of self-check.ts
 */
export async function prove(
  { selfCheck, told, status, setting, trial }: Server,
  { set, record }: Served,
): Promise<void> {
  try {
    await selfCheck(set)
    // A set on trial that never becomes ready must not shut out the one before it.
    if (!trial.pending()) await remember(setting.stateDirectory, set.verified)
  } catch (thrown) {
    const { code, facts } = asPlasmError(thrown)
    if (code === 'self-check-mismatch' && facts.where === 'disk') {
      const { storeRoot } = told.config
      await unpublish(storeRoot, set)
      status.serving(undefined)
      // Where this fails the set is out of service all the same.
      if (!(await readRecord(storeRoot))) await writeRecord(storeRoot, record).catch(() => {})
    }
    throw thrown
  }
}
