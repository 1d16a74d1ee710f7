import type { PlasmError } from '../service/errors.ts'
import type { UpdateAnswer, UpdateStatus } from './status-file.ts'
import { reportedError } from './steps.ts'
import type { UpdateRequest } from './update-request.ts'

const ANSWERS_KEPT = 8

/** What is known of newer sets, as the status tells it, and of those who offer them. */
export interface UpdateAccount {
  /** Base URL -> how often a set from there could not be had, or not be booted. */
  readonly failures: Map<string, number>
  failedFrom(url: string): void
  tell(change: Partial<UpdateStatus>): void
  /** To those who asked, if any did. */
  answer(requests: readonly UpdateRequest[], outcome: UpdateAnswer['outcome'], error?: PlasmError): void
  /** What was found stays told, but where nobody else is there. */
  tellFailure(thrown: unknown): void
}

/** @param status where all of it is told, at every change */
export function createUpdateAccount(status: { updates(known: UpdateStatus): void }): UpdateAccount {
  const failures = new Map<string, number>()
  let known: UpdateStatus = { lastLook: null, newest: null, fetching: null, nextLookAt: '', answers: [], bad: [] }
  const tell = (change: Partial<UpdateStatus>) => {
    known = { ...known, ...change }
    status.updates(known)
  }
  return {
    failures,
    failedFrom: (url) => failures.set(url, (failures.get(url) ?? 0) + 1),
    tell,
    answer(requests, outcome, error) {
      const given = requests.map(({ id }) => ({ id, outcome, error: error ? reportedError(error) : null }))
      tell({ answers: [...known.answers, ...given].slice(-ANSWERS_KEPT) })
    },
    tellFailure(thrown) {
      const error = reportedError(thrown)
      const alone = error.code === 'no-provider'
      const { found = 0, refused = [] } = alone ? {} : (known.lastLook ?? {})
      tell({
        lastLook: { at: new Date().toISOString(), found, refused, error },
        ...(alone ? { newest: null } : {}),
      })
    },
  }
}
