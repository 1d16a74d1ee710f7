import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlasmError } from '../service/errors.ts'
import { RUN_DIRECTORY } from './state-directory.ts'
import { findStatus } from './status.ts'
import { STATUS_FILE, type Status, type UpdateAnswer } from './status-file.ts'
import { leaveRequest, type UpdateAction } from './update-request.ts'
import { updatesText } from './updates-view.ts'

const LOOK_EVERY_MS = 250
/** The running agent looks for requests every few seconds; a look at a busy link takes as long. */
const PATIENCE_MS = 60_000

export interface UpdateCommand {
  readonly action: UpdateAction
  /** Told what goes on, when it changes. */
  readonly say: (line: string) => void
  readonly runDirectory?: string
  readonly statusFile?: string
  /** How long nothing may move while the agent is not ready, or before it takes the request up, ms. */
  readonly patienceMs?: number
}

export interface UpdateResult {
  readonly outcome: Exclude<UpdateAnswer['outcome'], 'failed'>
  /** What is served now. */
  readonly served: { readonly sequence: number; readonly version: string; readonly manifestDigest: string } | null
  /** Above it, and where it is; null: there is none that this machine would take. */
  readonly newest: NonNullable<Status['updates']>['newest']
  /** How many other providers there were. */
  readonly found: number
  /** Those whose set was turned down, and why. */
  readonly refused: NonNullable<NonNullable<Status['updates']>['lastLook']>['refused']
}

/**
 * Asks the running agent to look for a newer set, or to fetch one and serve it, and waits for its answer. Whoever stops
 * waiting loses nothing: the agent goes on.
 * @throws PlasmError `agent-not-running` | `update-not-ready` | `update-not-asked` | `update-unanswered` | what went wrong in the agent: of discover.ts,
 * fetch-into-store.ts, `update-memory-short`, `update-not-proven`
 */
export async function update({ action, say, ...places }: UpdateCommand): Promise<UpdateResult> {
  const { runDirectory = RUN_DIRECTORY, statusFile = STATUS_FILE, patienceMs = PATIENCE_MS } = places
  const before = runningAgent(statusFile)
  if (!before.ready) throw notReady(before)
  const id = randomUUID()
  let said = ''
  let movedAt = performance.now()
  const tell = (line: string) => {
    if (line === said) return
    movedAt = performance.now()
    said = line
    say(line)
  }
  const overdue = () => performance.now() - movedAt > patienceMs
  for (let left = false; !left; ) {
    left = await leaveRequest(runDirectory, { id, action }).catch((cause) => {
      throw notAsked(cause)
    })
    if (left) break
    tell('waiting for an earlier request')
    if (overdue()) throw unanswered(patienceMs)
    await sleep(LOOK_EVERY_MS)
  }
  tell('the agent is asked')
  for (;;) {
    const status = runningAgent(statusFile)
    const answer = status.updates?.answers.find((one) => one.id === id)
    if (answer) return resultOf(answer, status)
    if (!status.ready) tell(`not ready: ${status.notReadyBecause}`)
    else if (status.updates?.fetching) tell(updatesText(status.updates, Date.now()))
    if (overdue()) throw status.ready ? unanswered(patienceMs) : notReady(status)
    await sleep(LOOK_EVERY_MS)
  }
}

const AGENT_HINT = 'it serves, and fetches what is newer: init starts it, or `plasm-agent serve`'

function runningAgent(statusFile: string): Status {
  const found = findStatus(statusFile)
  if (found.state === 'read') return found.status
  throw new PlasmError('agent-not-running', `the agent cannot be asked: ${found.why}`, {
    hint: found.hint ?? AGENT_HINT,
  })
}

function resultOf({ outcome, error }: UpdateAnswer, { record, updates }: Status): UpdateResult {
  if (outcome === 'failed') {
    const { code, message, facts, hint } = error!
    throw new PlasmError(code, message, hint === undefined ? { facts } : { facts, hint })
  }
  const { sequence, version, manifestDigest } = record?.set ?? {}
  return {
    outcome,
    served: record ? { sequence: sequence!, version: version!, manifestDigest: manifestDigest! } : null,
    newest: updates?.newest ?? null,
    found: updates?.lastLook?.found ?? 0,
    refused: updates?.lastLook?.refused ?? [],
  }
}

/** For people, on standard output. */
export function describeUpdate({ outcome, served, newest, found, refused }: UpdateResult): readonly string[] {
  const here = served ? `sequence ${served.sequence} (${served.version})` : 'nothing'
  const lines = {
    'up-to-date': () => [
      `up to date: ${here} is served, none newer at ${found} other provider${found === 1 ? '' : 's'}`,
    ],
    newer: () => [
      `newer: sequence ${newest?.sequence} (${newest?.version}) is at ${newest?.providers.join(', ')}; ${here} is served`,
      'it is fetched within minutes, or at once: plasm-agent update --apply',
    ],
    applied: () => [`applied: ${here} is served now`],
    booting: () => [
      'booting: a newer set was fetched; this machine starts it now, and comes back to the old one if it fails',
    ],
  }
  return [...lines[outcome](), ...refused.map(({ url, reason }) => `turned down ${url}: ${reason}`)]
}

const notReady = ({ notReadyBecause }: Status) =>
  new PlasmError('update-not-ready', `this machine serves nothing that could be followed: ${notReadyBecause}`, {
    hint: 'it looks for newer sets while it is ready: plasm-agent status',
  })

const notAsked = (cause: NodeJS.ErrnoException) =>
  new PlasmError('update-not-asked', `the agent cannot be asked: ${cause.message}`, {
    facts: { errno: cause.code ?? null },
    hint: 'run it as root',
    cause,
  })

const unanswered = (patienceMs: number) =>
  new PlasmError('update-unanswered', `the agent has not answered for ${patienceMs / 1000} s`, {
    hint: 'see what it does: plasm-agent status, plasm-agent logs',
  })
