import { asPlasmError, PlasmError } from '../service/errors.ts'
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
import { readRecord, recordFor, writeRecord } from './record-file.ts'
import type { NextSet } from './roll-on.ts'
import type { Server } from './serve-server.ts'
import type { Served } from './served.ts'
import type { UpdateAnswer, UpdateStatus } from './status-file.ts'
import { reportedError } from './steps.ts'
import { onStore } from './store-errors.ts'
import { isInMemory } from './store-filesystem.ts'
import { keepComplete, publishComplete, type StoreWriter } from './store-writer.ts'
import { readTrials } from './trial-file.ts'
import { takeRequest, type UpdateRequest } from './update-request.ts'
import { nextLook } from './update-schedule.ts'

/** Nobody waits for it, and mostly there is nothing: shorter than what a machine takes that has nothing to boot. */
const LOOK: DiscoverOptions = { deadlineMs: 2500, addresses: ownAddresses }
/** Providers of one look that a set is fetched from. Anybody may say that it has one. */
const TRIES = 8
/** One look in so many asks also those that advertise nothing newer: anybody may advertise in another's name. */
const ASK_ALL_EVERY = 12
const ANSWERS_KEPT = 8
/** What agent and plasmd need beside a second set, where the store is memory. */
const SPARE_MIB = 64
const MIB = 1024 * 1024

/** Rolls a machine on that serves: looks for newer sets now and then, fetches one while the old one is served, and takes it in. */
export interface Updates {
  /**
   * Called again and again while this machine is ready; waits for no network. Begins a look when one is due or was asked for.
   * @returns that a newer set was taken in, in words
   */
  look(served: Served): Promise<string | undefined>
  /** Ends what runs: the store belongs to others now. What was asked for is begun anew with the next look. */
  pause(): Promise<void>
  /** With `apply = "kexec"`: boots the set that was fetched, if any. Comes back where that failed; what was served is served on. */
  bootNext(): Promise<void>
}

/** A look, and what follows from it. */
interface Job {
  readonly requests: readonly UpdateRequest[]
  /** Nobody asked for more. */
  readonly onlyLook: boolean
  readonly stop: AbortController
  readonly ended: Promise<void>
  result: Result | undefined
}

type Result =
  | { readonly outcome: 'up-to-date' | 'newer' }
  | { readonly outcome: 'fetched'; readonly set: CompleteSet<StoreWriter>; readonly from: Candidate }
  | { readonly outcome: 'failed'; readonly error: PlasmError }

export function createUpdates(server: Server): Updates {
  const { setting, told, wake, status, run } = server
  const { config, policy } = told
  const failures = new Map<string, number>()
  let failed = 0
  let looks = 0
  let due = 0
  let waiting: readonly UpdateRequest[] = []
  let job: Job | undefined
  /** Whether what this machine remembers of bad sets is in the status. */
  let remembers = false
  /** Published, and still to be proven by the steps to ready. */
  /** Whole in the store, to be booted, with the digest of what was served meanwhile. */
  let next: (NextSet & { readonly previous: string }) | undefined
  let taken: { readonly sequence: number; readonly requests: readonly UpdateRequest[] } | undefined
  let known: UpdateStatus = { lastLook: null, newest: null, fetching: null, nextLookAt: '', answers: [], bad: [] }
  const tell = (change: Partial<UpdateStatus>) => {
    known = { ...known, ...change }
    status.updates(known)
  }
  const schedule = (milliseconds: number) => {
    due = performance.now() + milliseconds
    tell({ nextLookAt: new Date(Date.now() + milliseconds).toISOString() })
  }
  const scheduleNext = () => schedule(nextLook(setting.updateEvery, failed, Math.random()))
  const answer = (requests: readonly UpdateRequest[], outcome: UpdateAnswer['outcome'], error?: PlasmError) => {
    const given = requests.map(({ id }) => ({ id, outcome, error: error ? reportedError(error) : null }))
    tell({ answers: [...known.answers, ...given].slice(-ANSWERS_KEPT) })
  }
  scheduleNext()

  const begin = (served: Served) => {
    const requests = waiting
    waiting = []
    const stop = new AbortController()
    const onlyLook = requests.length > 0 && requests.every(({ action }) => action === 'check')
    const work = advance(served, { requests, onlyLook, signal: stop.signal }).catch(
      (thrown): Result => ({ outcome: 'failed', error: asPlasmError(thrown) }),
    )
    const begun: Job = { requests, onlyLook, stop, ended: work.then(end), result: undefined }
    function end(result: Result): void {
      begun.result = result
      wake.wake()
    }
    job = begun
  }

  const advance = async (
    served: Served,
    { requests, onlyLook, signal }: Pick<Job, 'requests' | 'onlyLook'> & { readonly signal: AbortSignal },
  ): Promise<Result> => {
    const search = findNewer({
      config,
      policy,
      seen: await readSeen(setting.stateDirectory),
      served: served.set.verified,
      failures,
      discovery: setting.discovery ?? LOOK,
      askAll: requests.length > 0 || looks++ % ASK_ALL_EVERY === 0,
    })
    const offers = await Promise.race([search, aborted(signal)])
    const { found, refused } = offers
    const { bad } = await readTrials(setting.stateDirectory)
    tell({ lastLook: { at: new Date().toISOString(), found, refused, error: null }, newest: newestOf(offers), bad })
    if (offers.ranked.length === 0) return { outcome: 'up-to-date' }
    if (onlyLook) return { outcome: 'newer' }
    return run.step('update', async (leaveOut) => {
      try {
        return await onStore(config.storeRoot, () => fetch(offers.ranked.slice(0, TRIES), signal))
      } catch (thrown) {
        if (!signal.aborted) throw thrown
        leaveOut('this machine has something else to do first')
        return { outcome: 'newer' }
      }
    })
  }

  const fetch = async (ranked: readonly Choice[], signal: AbortSignal): Promise<Result> => {
    const { storeRoot: root, channel } = config
    if (config.apply === 'kexec') await needDisk()
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
      onFailed: (url) => failures.set(url, (failures.get(url) ?? 0) + 1),
      onProgress(progress, url) {
        from = ranked.find(({ candidate }) => candidate.url === url)!.candidate
        tell({ fetching: { from: url, ...progress } })
        run.emit({ type: 'progress', step: 'fetch', ...progress })
      },
    })
    return { outcome: 'fetched', set, from }
  }

  const needDisk = async () => {
    if (await storeOnDisk(config, setting.rolling.dataDisk)) return
    throw new PlasmError(
      'apply-needs-disk',
      'apply is "kexec", and this machine has no data disk for the set to cross on',
      {
        hint: 'give it a filesystem labelled PLASM-DATA (docs/concept.md), or set apply = "serve" in /etc/plasm/agent.toml',
      },
    )
  }

  const takeIn = async (set: CompleteSet<StoreWriter>, requests: readonly UpdateRequest[]): Promise<void> => {
    const { storeRoot } = config
    const stored = await onStore(storeRoot, () => publishComplete(storeRoot, set))
    const by = { ...config, peerId: told.identity.peerId, bootId: server.bootId, directory: storeRoot }
    await writeRecord(storeRoot, recordFor(stored, await readRecord(storeRoot), by))
    taken = { sequence: stored.verified.manifest.sequence, requests }
    failures.clear()
  }

  const conclude = async ({ requests, onlyLook, result }: Job, served: Served): Promise<string | undefined> => {
    tell({ fetching: null })
    try {
      if (result?.outcome === 'fetched' && config.apply === 'kexec') {
        const stored = await onStore(config.storeRoot, () => keepComplete(config.storeRoot, result.set))
        next = { set: stored, candidate: result.from, previous: served.set.verified.digest }
        answer(requests, 'booting')
        return `sequence ${stored.verified.manifest.sequence} was fetched from ${result.from.url}, and is to be booted`
      }
      if (result?.outcome === 'fetched') {
        await takeIn(result.set, requests)
        failed = 0
        scheduleNext()
        tell({ newest: null })
        return `a newer set was fetched from ${result.from.url}`
      }
      if (result?.outcome === 'failed') throw result.error
      failed = 0
      answer(requests, result?.outcome ?? 'up-to-date')
    } catch (thrown) {
      const error = asPlasmError(thrown)
      if (result?.outcome === 'fetched') await result.set.writer.discard().catch(() => {})
      const alone = error.code === 'no-provider'
      // That nobody else is there is no failure of theirs.
      failed = alone ? 0 : failed + 1
      const { found = 0, refused = [] } = alone ? {} : (known.lastLook ?? {})
      tell({
        lastLook: { at: new Date().toISOString(), found, refused, error: reportedError(error) },
        ...(alone ? { newest: null } : {}),
      })
      answer(requests, 'failed', error)
    }
    // Who only looks puts off nothing.
    if (!onlyLook) scheduleNext()
    return undefined
  }

  return {
    async look(served) {
      if (!remembers) tell({ bad: (await readTrials(setting.stateDirectory)).bad })
      remembers = true
      if (taken) {
        const { sequence, requests } = taken
        taken = undefined
        if (served.set.verified.manifest.sequence >= sequence) answer(requests, 'applied')
        else answer(requests, 'failed', notProven(sequence))
      }
      const request = await takeRequest(setting.runDirectory)
      if (request) waiting = [...waiting, request]
      if (job?.result) {
        const done = job
        job = undefined
        return conclude(done, served)
      }
      if (!job && (waiting.length > 0 || performance.now() >= due)) begin(served)
      return undefined
    },
    async pause() {
      const ending = job
      job = undefined
      if (!ending) return
      ending.stop.abort()
      await ending.ended
      if (ending.result?.outcome === 'fetched') await ending.result.set.writer.discard().catch(() => {})
      tell({ fetching: null })
      waiting = [...ending.requests, ...waiting]
      due = 0
    },
    async bootNext() {
      if (!next || server.stop.aborted) return
      const { previous, ...toBoot } = next
      next = undefined
      try {
        const { rollOn } = await import('./roll-on.ts')
        await rollOn(server, toBoot, previous)
      } catch (thrown) {
        const { url } = toBoot.candidate
        failures.set(url, (failures.get(url) ?? 0) + 1)
        failed += 1
        const { found = 0, refused = [] } = known.lastLook ?? {}
        tell({ lastLook: { at: new Date().toISOString(), found, refused, error: reportedError(thrown) } })
        scheduleNext()
      }
    },
  }
}

/** Looking cannot be ended; nobody waits for it any more. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function notProven(sequence: number): PlasmError {
  return new PlasmError('update-not-proven', `sequence ${sequence} was fetched, and did not prove itself`, {
    facts: { sequence },
    hint: 'see why: plasm-agent logs',
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
