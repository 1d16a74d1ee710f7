import { asPlasmError, type PlasmError } from '../service/errors.ts'
import { fetchNewer, type LookResult } from './fetch-newer.ts'
import type { Server } from './serve-server.ts'
import type { Served } from './served.ts'
import { createTaking } from './take-newer.ts'
import { readTrials } from './trial-file.ts'
import { createUpdateAccount } from './update-account.ts'
import { takeRequest, type UpdateRequest } from './update-request.ts'
import { nextLook } from './update-schedule.ts'

/** One look in so many asks also those that advertise nothing newer: anybody may advertise in another's name. */
const ASK_ALL_EVERY = 12

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

type Result = LookResult | { readonly outcome: 'failed'; readonly error: PlasmError }

/** When to look for newer sets. What a look does is in fetch-newer.ts, what is done with its set in take-newer.ts. */
export function createUpdates(server: Server): Updates {
  const { setting, wake, status } = server
  const account = createUpdateAccount(status)
  const taking = createTaking(server, account)
  /** In a row. */
  let failed = 0
  let looks = 0
  let due = 0
  let waiting: readonly UpdateRequest[] = []
  let job: Job | undefined
  /** Whether what this machine remembers of bad sets is in the status. */
  let remembers = false

  const scheduleNext = () => {
    const milliseconds = nextLook(setting.updateEvery, failed, Math.random())
    due = performance.now() + milliseconds
    account.tell({ nextLookAt: new Date(Date.now() + milliseconds).toISOString() })
  }
  scheduleNext()

  const begin = (served: Served) => {
    const requests = waiting
    waiting = []
    const stop = new AbortController()
    const onlyLook = requests.length > 0 && requests.every(({ action }) => action === 'check')
    const askAll = requests.length > 0 || looks++ % ASK_ALL_EVERY === 0
    const work = fetchNewer(server, account, served, { onlyLook, askAll, signal: stop.signal }).catch(
      (thrown): Result => ({ outcome: 'failed', error: asPlasmError(thrown) }),
    )
    const begun: Job = { requests, onlyLook, stop, ended: work.then(end), result: undefined }
    function end(result: Result): void {
      begun.result = result
      wake.wake()
    }
    job = begun
  }

  const conclude = async (
    { requests, onlyLook }: Pick<Job, 'requests' | 'onlyLook'>,
    result: Result,
    served: Served,
  ): Promise<string | undefined> => {
    account.tell({ fetching: null })
    let words: string | undefined
    try {
      if (result.outcome === 'failed') throw result.error
      if (result.outcome === 'fetched') {
        const took = await taking.take(result, requests, served)
        // How it went is known once it is booted.
        if (took.follows === 'boot') return took.words
        words = took.words
      } else {
        account.answer(requests, result.outcome)
      }
      failed = 0
    } catch (thrown) {
      const error = asPlasmError(thrown)
      // That nobody else is there is no failure of theirs.
      failed = error.code === 'no-provider' ? 0 : failed + 1
      account.tellFailure(error)
      account.answer(requests, 'failed', error)
    }
    // Who only looks puts off nothing.
    if (!onlyLook) scheduleNext()
    return words
  }

  return {
    async look(served) {
      if (!remembers) account.tell({ bad: (await readTrials(setting.stateDirectory)).bad })
      remembers = true
      taking.proven(served)
      const request = await takeRequest(setting.runDirectory)
      if (request) waiting = [...waiting, request]
      if (job?.result) {
        const { result, ...done } = job
        job = undefined
        return conclude(done, result, served)
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
      account.tell({ fetching: null })
      waiting = [...ending.requests, ...waiting]
      due = 0
    },
    async bootNext() {
      if (!(await taking.bootNext())) return
      failed += 1
      scheduleNext()
    },
  }
}
