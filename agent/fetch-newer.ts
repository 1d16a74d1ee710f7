import { PlasmError } from '../service/errors.ts'
import { setBytes } from '../service/manifest.ts'
import { ownAddresses } from '../service/own-addresses.ts'
import type { Candidate } from './candidate.ts'
import { createCandidateLog } from './candidate-log.ts'
import type { CompleteSet } from './complete-set.ts'
import type { DiscoverOptions } from './discover.ts'
import { fetchIntoStore } from './fetch-into-store.ts'
import { findNewer, type Offers } from './find-newer.ts'
import { readSeen } from './freshness-file.ts'
import { storeOnDisk } from './handover-disk.ts'
import { readMemory } from './memory.ts'
import type { Choice } from './rank.ts'
import type { Server } from './serve-server.ts'
import type { Served } from './served.ts'
import type { UpdateStatus } from './status-file.ts'
import { onStore } from './store-errors.ts'
import { isInMemory } from './store-filesystem.ts'
import type { StoreWriter } from './store-writer.ts'
import { readTrials } from './trial-file.ts'
import type { UpdateAccount } from './update-account.ts'

/** Nobody waits for it, and mostly there is nothing: shorter than what a machine takes that has nothing to boot. */
const LOOK: DiscoverOptions = { deadlineMs: 2500, addresses: ownAddresses }
/** Providers of one look that a set is fetched from. Anybody may say that it has one. */
const TRIES = 8
/** What agent and plasmd need beside a second set, where the store is memory. */
const SPARE_MIB = 64
const MIB = 1024 * 1024

export interface Look {
  /** Fetch nothing. */
  readonly onlyLook: boolean
  /** Also those that advertise nothing newer. */
  readonly askAll: boolean
  readonly signal: AbortSignal
}

/** A set that is whole in the store, and that nobody serves yet. */
export interface Fetched {
  readonly outcome: 'fetched'
  readonly set: CompleteSet<StoreWriter>
  readonly from: Candidate
}

/** `newer`: one is there, and was left there. */
export type LookResult = { readonly outcome: 'up-to-date' | 'newer' } | Fetched

/**
 * Looks for a set that is newer than what is served, and fetches it into the store.
 * @throws PlasmError of find-newer.ts and fetch-into-store.ts; `apply-needs-disk`, `update-memory-short`; what `signal` was aborted
 *   with, before anything is fetched
 */
export async function fetchNewer(
  server: Server,
  account: UpdateAccount,
  served: Served,
  { onlyLook, askAll, signal }: Look,
): Promise<LookResult> {
  const { setting, told, run } = server
  const { config, policy } = told
  const search = findNewer({
    config,
    policy,
    seen: await readSeen(setting.stateDirectory),
    served: served.set.verified,
    failures: account.failures,
    discovery: setting.discovery ?? LOOK,
    askAll,
  })
  const offers = await Promise.race([search, aborted(signal)])
  const { found, refused } = offers
  const { bad } = await readTrials(setting.stateDirectory)
  account.tell({
    lastLook: { at: new Date().toISOString(), found, refused, error: null },
    newest: newestOf(offers),
    bad,
  })
  if (offers.ranked.length === 0) return { outcome: 'up-to-date' }
  if (onlyLook) return { outcome: 'newer' }
  return run.step('update', async (leaveOut): Promise<LookResult> => {
    try {
      return await onStore(config.storeRoot, () => fetch(server, account, offers.ranked.slice(0, TRIES), signal))
    } catch (thrown) {
      if (!signal.aborted) throw thrown
      leaveOut('this machine has something else to do first')
      return { outcome: 'newer' }
    }
  })
}

async function fetch(
  server: Server,
  account: UpdateAccount,
  ranked: readonly Choice[],
  signal: AbortSignal,
): Promise<Fetched> {
  const { told, run } = server
  const { storeRoot: root, channel, apply } = told.config
  if (apply === 'kexec') await needDisk(server)
  await checkMemory(root, setBytes(ranked[0]!.verified.manifest))
  const log = createCandidateLog(run.emit)
  for (const { candidate } of ranked) log.found(candidate)
  let from = ranked[0]!.candidate
  const set = await fetchIntoStore({
    root,
    channel,
    ranked,
    log,
    signal,
    onFailed: account.failedFrom,
    onProgress(progress, url) {
      from = ranked.find(({ candidate }) => candidate.url === url)!.candidate
      account.tell({ fetching: { from: url, ...progress } })
      run.emit({ type: 'progress', step: 'fetch', ...progress })
    },
  })
  return { outcome: 'fetched', set, from }
}

/** Looking cannot be ended; nobody waits for it any more. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function newestOf({ ranked }: Offers): UpdateStatus['newest'] {
  const best = ranked[0]?.verified
  if (!best) return null
  const { manifest, digest } = best
  return {
    sequence: manifest.sequence,
    version: manifest.version,
    manifestDigest: digest,
    bytes: setBytes(manifest),
    providers: ranked.filter(({ verified }) => verified.digest === digest).map(({ candidate }) => candidate.url),
  }
}

async function needDisk({ told, setting }: Server): Promise<void> {
  if (await storeOnDisk(told.config, setting.rolling.dataDisk)) return
  throw new PlasmError(
    'apply-needs-disk',
    'apply is "kexec", and this machine has no data disk for the set to cross on',
    {
      hint: 'give it a filesystem labelled PLASM-DATA (docs/concept.md), or set apply = "serve" in /etc/plasm/agent.toml',
    },
  )
}

/** The set that is served stays until the new one is proven: where they are memory there must be room for both. */
async function checkMemory(root: string, bytes: number): Promise<void> {
  if (!(await isInMemory(root))) return
  const needMiB = Math.ceil(bytes / MIB) + SPARE_MIB
  const { availableMiB } = readMemory()
  if (availableMiB >= needMiB) return
  throw new PlasmError(
    'update-memory-short',
    `a second set needs ${needMiB} MiB of memory, ${availableMiB} are there`,
    {
      facts: { needMiB, availableMiB },
      hint: 'give this machine more memory or a data disk, or boot it again: it then fetches the newer set',
    },
  )
}
