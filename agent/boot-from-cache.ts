import { basename } from 'node:path'
import { asPlasmError } from '../service/errors.ts'
import { setBytes } from '../service/manifest.ts'
import { kexecInto, newNonce, thisBoot } from './boot-from.ts'
import type { Attempts } from './boot-parts.ts'
import type { BootRecord } from './boot-record.ts'
import { newestCachedSet } from './cached-set.ts'
import type { Candidate } from './candidate.ts'
import type { CandidateLog } from './candidate-log.ts'
import { storedSet } from './cross-on-disk.ts'
import { readSeen } from './freshness-file.ts'
import { makeRecord } from './make-record.ts'
import { preflight, readFacts, roomOnDisk } from './preflight.ts'
import type { StoredSet } from './publish.ts'
import { readRecord } from './record-file.ts'
import { STATE_DIRECTORY } from './state-directory.ts'

/**
 * Where no provider is in reach, or none that has anything for this machine: boots the newest set that its own disk holds. Who it
 * came from, and by which receipts, stays as it was when it came.
 * @param because thrown on where there is no such set, or `phase.cache=false` forbids it
 */
export async function bootFromCache(attempts: Attempts, log: CandidateLog, because: unknown): Promise<never> {
  const { parts, runner, config, policy, workbench, bench } = attempts
  if (!bench || !config.cache) throw because
  const { root } = bench
  if (asPlasmError(because).code === 'no-provider') {
    runner.skip('manifests', 'no provider is in reach; looking on the data disk')
  }
  const set = await runner.step('verify', async (leaveOut) => {
    const seen = await readSeen(parts.stateDirectory ?? STATE_DIRECTORY)
    const onRejected = (dir: string, reason: string) => log.rejected(cached(dir, null), reason)
    const found = await newestCachedSet({ root, policy, config, seen, onRejected })
    if (!found) leaveOut('the data disk holds no whole set that this image accepts')
    return found
  })
  if (!set) throw because
  attempts.refusedAll = false
  const before = await readRecord(root)
  const candidate = cached(set.dir, before?.provider.generation ?? null)
  const about = { provider: candidate.url }
  const nonce = newNonce()
  log.chosen(candidate)
  const passed = await runner.step(
    'preflight',
    async () => {
      const { manifest } = set.verified
      const held = workbench.makeRoom(set.verified)
      // It lies there already, so there is room for it.
      const room = roomOnDisk(manifest)
      return preflight(manifest, await readFacts(workbench.directory, nonce, held, parts.kexecLoadDisabledFile, room))
    },
    about,
  )
  runner.skip('fetch', `all ${setBytes(set.verified.manifest)} bytes lie on the data disk`)
  runner.skip('receipt', 'it comes from the own disk')
  const handedOver = await runner.step(
    'handover',
    () => {
      const made = makeRecord(candidate, set.verified, thisBoot(attempts, log, passed, nonce))
      return storedSet(root, workbench, set, passed.facts).handOver({ record: comingFrom(before, made, set) })
    },
    about,
  )
  return kexecInto(handedOver, passed, attempts, about)
}

const cached = (dir: string, generation: number | null): Candidate => ({
  url: `file://${dir}`,
  source: 'cache',
  name: basename(dir).slice(0, 12),
  generation,
})

/** The provider of the boot that brought the set; of another set's provider only the generation says something. */
function comingFrom(before: BootRecord | undefined, made: BootRecord, { verified }: StoredSet): BootRecord {
  if (before?.set.manifestDigest !== verified.digest) return made
  return { ...made, provider: { ...before.provider, discoveredBy: 'cache' } }
}
