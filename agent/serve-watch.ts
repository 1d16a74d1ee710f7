import type { PlasmError } from '../service/errors.ts'
import { asPlasmError } from '../service/errors.ts'
import { currentSet } from './adopt.ts'
import { readSeen } from './freshness-file.ts'
import { type Inbox, watchInboxes } from './inbox.ts'
import type { Mending } from './mend.ts'
import { outdated } from './outdated.ts'
import { plasmdLost } from './plasmd-words.ts'
import { prove } from './prove.ts'
import { readRecord, recordFor, writeRecord } from './record-file.ts'
import type { Server } from './serve-server.ts'
import type { Served } from './served.ts'
import type { PlasmdView } from './service-owner.ts'
import { reportedError } from './steps.ts'
import type { Updates } from './updates.ts'

const LOOK_EVERY_MS = 5000

/** What only an inbox can mend, and what plasmd's owner tries by itself: time alone changes neither. */
const NEEDS_A_SET = new Set(['nothing-to-serve', 'handover-incomplete'])
const NEEDS_PLASMD = new Set(['port-in-use', 'plasmd-fails'])

/** Where newer sets come from: other programs on this machine, and other machines. */
export interface Sources {
  readonly inbox: Inbox
  readonly updates: Updates
}

export async function openSources(server: Server): Promise<Sources> {
  // As all that fetches, it loads only where a machine is ready, or lacks a set.
  const [inbox, { createUpdates }] = await Promise.all([openInbox(server), import('./updates.ts')])
  return { inbox, updates: createUpdates(server) }
}

async function openInbox({ told, wake, log, run, setting }: Server): Promise<Inbox> {
  const { config, policy } = told
  return watchInboxes(
    config.inboxes,
    { root: config.storeRoot, policy, expected: config, seen: () => readSeen(setting.stateDirectory) },
    {
      onChange: wake.wake,
      say: log.say,
      refused: (error) =>
        run.emit({ type: 'step-failed', stage: 'serve', step: 'watch', milliseconds: 0, error: reportedError(error) }),
    },
  )
}

/**
 * Watches over a machine that is ready.
 * @returns why it no longer is, one sentence
 * @throws PlasmError `self-check-mismatch` where the stored set itself is wrong and was taken out of service
 */
export async function watchUntilLost(
  server: Server,
  { inbox, updates }: Sources,
  served: Served,
  address: string,
): Promise<string> {
  const { stop, owner, wake, setting, told } = server
  let checkedAt = performance.now()
  while (!stop.aborted) {
    const taken = await takeIn(server, inbox, served)
    if (taken) return taken
    const plasmd = owner.view()
    if (plasmd.state !== 'running') return plasmdLost(plasmd, owner.managedBy)
    const now = setting.address()
    if (now !== address) return now ? `the address changed from ${address} to ${now}` : `the address ${address} is gone`
    const expired = outdated(served.set.verified, told.policy)
    if (expired) return expired
    if (performance.now() - checkedAt >= setting.recheckEvery) {
      const superseded = outdated(served.set.verified, told.policy, await readSeen(setting.stateDirectory))
      if (superseded) return superseded
      const failed = await prove(server, served).then(() => undefined, asPlasmError)
      // A set that is lost is one to be fetched again; all else is looked into by going through the steps once more.
      if (failed?.facts.where === 'disk') throw failed
      if (failed) return `${failed.message} [${failed.code}]`
      checkedAt = performance.now()
    }
    const rolledOn = await updates.look(served)
    if (rolledOn) return rolledOn
    await wake.wait(Math.min(LOOK_EVERY_MS, setting.recheckEvery))
  }
  return 'the agent was asked to stop'
}

/** Waits until another try may end differently: a set came in, plasmd runs, or `pause` ms passed where time may mend it. */
export async function waitForChange(
  server: Server,
  inbox: Inbox,
  { error, mending, pause }: { readonly error: PlasmError; readonly mending: Mending; readonly pause: number },
): Promise<void> {
  const { stop, owner, wake, told } = server
  const beyondTime =
    NEEDS_PLASMD.has(error.code) ||
    (mending === 'impossible' &&
      (NEEDS_A_SET.has(error.code) || (error.code === 'self-check-mismatch' && error.facts.where === 'disk')))
  const until = performance.now() + (beyondTime ? Number.POSITIVE_INFINITY : pause)
  while (!stop.aborted && performance.now() < until) {
    const set = await currentSet(told.config.storeRoot, told.policy, told.config).catch(() => undefined)
    if (await takeIn(server, inbox, set && { set })) return
    if (NEEDS_PLASMD.has(error.code) && plasmdChanged(owner.view().state, error)) return
    await wake.wait(until - performance.now())
  }
}

/** It runs; or its owner has given up on it since the error was made, which is another one. */
const plasmdChanged = (state: PlasmdView['state'], { facts }: PlasmError): boolean =>
  state === 'running' || (state === 'failed' && facts.gaveUp !== true)

/** @returns what came in, in words, or undefined */
async function takeIn(
  server: Server,
  inbox: Inbox,
  served: Pick<Served, 'set'> | undefined,
): Promise<string | undefined> {
  const taken = await inbox.takeIn(served?.set)
  if (!taken) return undefined
  const { config, identity } = server.told
  const by = { ...config, peerId: identity.peerId, bootId: server.bootId, directory: taken.dir }
  await writeRecord(config.storeRoot, recordFor(taken.set, await readRecord(config.storeRoot), by))
  return `a newer set came in from ${taken.dir}`
}
