import type { PlasmError } from '../service/errors.ts'
import { readSeen } from './freshness-file.ts'
import { readRecord } from './record-file.ts'
import type { Server } from './serve-server.ts'

/** `impossible`: time alone changes nothing; `failed`: another try may end differently. */
export type Mending = 'mended' | 'failed' | 'impossible'

/** Nobody may boot it any more, so nobody is to get it from here. */
const OUTDATED: ReadonlySet<string> = new Set(['manifest-expired', 'manifest-rollback'])

/**
 * Gets a set again that is to be served. What was served is lost where it was taken out of service because a stored file is wrong,
 * where it has expired, or where the store has nothing although this machine has a record of what it booted from. Otherwise
 * nothing is fetched: a machine that never had a set waits for one.
 */
export async function mend({ told, run, setting }: Server, error: PlasmError): Promise<Mending> {
  const { config, policy } = told
  const isWrong = error.code === 'self-check-mismatch' && error.facts.where === 'disk'
  if (!isWrong && error.code !== 'nothing-to-serve' && !OUTDATED.has(error.code)) return 'impossible'
  const record = await readRecord(config.storeRoot)
  if (!record) return 'impossible'
  const work = async () => {
    // Only a machine that needs it loads what fetches.
    const { refetch } = await import('./refetch.ts')
    const { discovery } = setting
    const seen = await readSeen(setting.stateDirectory)
    return refetch({ config, policy, seen, atLeast: record.set.sequence, emit: run.emit, discovery })
  }
  return run.step('refetch', work).then(
    () => 'mended',
    () => 'failed',
  )
}
