import { rm } from 'node:fs/promises'
import { type NodeKey, readNodeKey } from '../service/node-key.ts'
import { storePaths } from '../service/store-layout.ts'
import { kexecInto, newNonce } from './boot-from.ts'
import type { BootRecord } from './boot-record.ts'
import { newestCachedSet } from './cached-set.ts'
import type { Candidate } from './candidate.ts'
import { storedSet } from './cross-on-disk.ts'
import { readSeen } from './freshness-file.ts'
import type { OwnAccount } from './handover.ts'
import { parseCommandLine } from './kernel-command-line.ts'
import { machineKey } from './machine-key.ts'
import { makeRecord } from './make-record.ts'
import { type Preflight, preflight, readFacts, roomOnDisk } from './preflight.ts'
import type { StoredSet } from './publish.ts'
import { readRecord } from './record-file.ts'
import { type Proven, requestReceipt } from './request-receipt.ts'
import { runProgram } from './run-program.ts'
import type { Server } from './serve-server.ts'
import { forgetTrial } from './settle-trial.ts'
import { readTrials, type Trial, writeTrials } from './trial-file.ts'
import { createWorkbench } from './workbench.ts'

/** A whole set of the store, and the provider that it was fetched from. */
export interface NextSet {
  readonly set: StoredSet
  readonly candidate: Candidate
}

/**
 * Boots another set from the serve stage, on trial: what is served now is booted again where the other does not become ready. The
 * marker is written first, so that whatever happens from then on is remembered.
 * @param previous manifest digest of what is served now
 * @throws PlasmError of preflight.ts, request-receipt.ts, cross-on-disk.ts, kexec.ts; then the machine is as it was
 */
export async function rollOn(server: Server, { set, candidate }: NextSet, previous: string): Promise<never> {
  const { run, setting, told } = server
  const { storeRoot } = told.config
  const { digest } = set.verified
  const provider = candidate.url
  const nonce = newNonce()
  const key = await ownKey(server)
  const proven = await run.step(
    'receipt',
    async (leaveOut): Promise<Proven | undefined> => {
      const answer = await requestReceipt(key, { provider: candidate, nonce, verified: set.verified })
      if (!('unproven' in answer)) return answer
      leaveOut(answer.unproven)
      return undefined
    },
    { provider },
  )
  const { trialMs: withinMs, bootId } = setting.rolling
  const trial: Trial = { digest, previous, nonce, fromBootId: bootId(), withinMs }
  try {
    await writeTrials(setting.stateDirectory, { ...(await readTrials(setting.stateDirectory)), trial })
    return await bootStored(server, set, nonce, provider, (passed) => ({
      identity: { key, lineage: proven?.envelopes ?? [] },
      record: recordOf(server, set, candidate, passed, nonce, proven),
    }))
  } catch (thrown) {
    await forgetTrial(setting.stateDirectory, storeRoot)
    throw thrown
  }
}

/**
 * Boots the set again that was served before the one on trial, or the newest that is left; where no set can be booted, the machine starts
 * anew from its medium.
 */
export async function fallBack(server: Server, trial: Trial): Promise<void> {
  const { told, setting, log } = server
  const { config, policy } = told
  const root = config.storeRoot
  try {
    await server.trial.fail(trial)
    const seen = await readSeen(setting.stateDirectory)
    const onRejected = (dir: string, reason: string) => log.say(`${dir} is passed over: ${reason}`)
    const search = { root, policy, config, seen, onRejected }
    const set = (await newestCachedSet({ ...search, only: trial.previous })) ?? (await newestCachedSet(search))
    if (!set) throw new Error('the data disk holds no other whole set that this image accepts')
    // The way that this machine's sets come is as long as it was.
    const generation = (await readRecord(root))?.provider.generation ?? null
    const candidate = { url: `file://${set.dir}`, source: 'cache', name: null, generation } as const
    const nonce = newNonce()
    await bootStored(server, set, nonce, candidate.url, (passed) => ({
      record: recordOf(server, set, candidate, passed, nonce),
    }))
  } catch (thrown) {
    await rm(storePaths(root).handover, { recursive: true, force: true }).catch(() => {})
    log.say(`cannot go back by kexec: ${(thrown as Error).message}; starting anew from the boot medium`)
    const [program, ...args] = setting.rolling.reboot
    await runProgram(program, args)
  }
}

/** Loads and starts a set of the store on the data disk, which crosses kexec there. */
async function bootStored(
  server: Server,
  set: StoredSet,
  nonce: string,
  provider: string,
  account: (passed: Preflight) => OwnAccount,
): Promise<never> {
  const { run, setting, told, flush, lowestAvailableMiB } = server
  const { scratchDirectory, kexecLoadDisabledFile } = setting.rolling
  const { manifest } = set.verified
  const about = { provider }
  const workbench = createWorkbench(scratchDirectory)
  const passed = await run.step(
    'preflight',
    async () => {
      const held = workbench.makeRoom(set.verified)
      // It lies there already, so there is room for it.
      const room = roomOnDisk(manifest)
      const facts = await readFacts(workbench.directory, nonce, held, kexecLoadDisabledFile, room)
      return preflight(manifest, { ...facts, commandLine: restartingAfterPanic(facts.commandLine) })
    },
    about,
  )
  const handedOver = await run.step(
    'handover',
    () => storedSet(told.config.storeRoot, workbench, set, passed.facts).handOver(account(passed)),
    about,
  )
  const memory = { lowestAvailableMiB }
  return kexecInto(handedOver, passed, { runner: run, workbench, refusedModes: new Set(), flush, memory }, about)
}

/** A kernel that panics stands still for ever unless it is told not to; the boot medium's fetch stage knows what failed. */
function restartingAfterPanic(commandLine: string): string {
  return parseCommandLine(commandLine).has('panic') ? commandLine : `${commandLine} panic=30`
}

/** It lies where plasmd finds it, except where plasmd is somebody else's. */
async function ownKey({ told, setting }: Server): Promise<NodeKey> {
  const { config } = told
  return (await readNodeKey(storePaths(config.storeRoot).nodeKey)) ?? machineKey(config.mode, setting)
}

function recordOf(
  { told, setting, lowestAvailableMiB }: Server,
  { verified }: StoredSet,
  candidate: Candidate,
  { handover, budget }: Preflight,
  nonce: string,
  proven?: Proven,
): BootRecord {
  const { runId, machine } = told.config
  return makeRecord(
    candidate,
    verified,
    {
      runId,
      machine,
      peerId: told.identity.peerId,
      handover,
      budget,
      lowestAvailableMiB: lowestAvailableMiB(),
      fetchBootId: setting.rolling.bootId(),
      bootNonce: nonce,
      candidates: [],
      timings: [],
    },
    proven,
  )
}
