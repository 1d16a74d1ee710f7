import { setTimeout as sleep } from 'node:timers/promises'
import { clockProblem } from '../service/clock.ts'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { readTrustPolicy } from '../service/trust-policy.ts'
import { buildInfo } from '../service/version.ts'
import { bootFrom } from './boot-from.ts'
import type { Attempts, BootParts } from './boot-parts.ts'
import { type CandidateLog, createCandidateLog } from './candidate-log.ts'
import { type AgentConfig, readConfig } from './config.ts'
import { findAccepted } from './find-accepted.ts'
import { storeOnDisk } from './handover-disk.ts'
import { writeLastLook } from './last-look.ts'
import { createLateSink } from './late-sink.ts'
import { machineKey } from './machine-key.ts'
import { readBootId } from './make-record.ts'
import { watchMemory } from './memory.ts'
import { tellNetworkUp } from './network-up.ts'
import { rank } from './rank.ts'
import { settleTrial } from './settle-trial.ts'
import { RUN_DIRECTORY, STATE_DIRECTORY } from './state-directory.ts'
import { createStepRunner } from './steps.ts'
import { openStoreBench, type StoreBench } from './store-bench.ts'
import { createWorkbench } from './workbench.ts'

/** What onStore (store-errors.ts) says of a disk. */
const DISK_FAILURES: ReadonlySet<string> = new Set(['store-full', 'store-read-only', 'storage-failed'])
/** Where the new initrd is built: a tmpfs that init mounts for it. */
const SCRATCH_DIRECTORY = '/run/plasm/boot'
const REPORTS_AT_END_MS = 1_500
const PAUSE_FIRST_SECONDS = 1
const PAUSE_LAST_SECONDS = 30

/**
 * The fetch stage: ends in kexec and does not return then. Tries for ever, with pauses; it ends where a person should know by
 * its exit code: the configuration or the trust policy is wrong, or all that providers have is refused. Init tries again.
 * @returns an exit code
 */
export async function boot(parts: BootParts): Promise<number> {
  const late = createLateSink()
  const runner = createStepRunner('fetch', [...parts.sinks, late.sink])
  const { version, commit } = buildInfo()
  runner.emit({ type: 'stage-started', stage: 'fetch', version, commit })
  const told = await runner.step('config', () => readEverything(parts)).catch(() => undefined)
  if (!told) return EXIT.badConfig
  const reporter = parts.openReporter(told.config, told.key.peerId)
  late.attach(reporter.sink)
  void tellNetworkUp(runner.emit, { signal: parts.signal })
  await settle(told.config, parts).catch((thrown) => console.error(`plasm-agent: ${asPlasmError(thrown).message}`))
  const workbench = createWorkbench(parts.scratchDirectory ?? SCRATCH_DIRECTORY)
  const memory = watchMemory()
  const attempts: Attempts = {
    parts,
    runner,
    ...told,
    workbench,
    bench: await openBench(told.config, parts),
    memory,
    flush: reporter.flush,
    failures: new Map(),
    refusedModes: new Set(),
    refusedAll: false,
  }
  for (let pause = PAUSE_FIRST_SECONDS; !parts.signal?.aborted; pause = Math.min(pause * 2, PAUSE_LAST_SECONDS)) {
    const log = createCandidateLog(runner.emit)
    const { code, message } = asPlasmError(await attempt(attempts, log).catch((thrown: unknown) => thrown))
    await tellWhy(parts, `${message} [${code}]`, log)
    if (attempts.refusedAll) {
      runner.emit({ type: 'not-ready', reason: `${message} [${code}]` })
      await reporter.flush(REPORTS_AT_END_MS)
      return EXIT.badData
    }
    // Looking for a provider has its own deadline, and the next one may appear at any moment.
    if (code === 'no-provider') pause = PAUSE_FIRST_SECONDS
    runner.emit({ type: 'not-ready', reason: `${message} [${code}]; trying again in ${pause} s` })
    await sleep(pause * 1000, undefined, { signal: parts.signal }).catch(() => {})
  }
  workbench.clear()
  memory.stop()
  return EXIT.failed
}

async function readEverything({ sources, trustFile, ...places }: BootParts) {
  const config = await readConfig(sources)
  return { config, policy: await readTrustPolicy(trustFile), key: await machineKey(config.mode, places) }
}

/** A set that this machine went on to, and that was not ready before this boot, is not taken again. */
async function settle({ mode, storeRoot, bootNonce }: AgentConfig, parts: BootParts): Promise<void> {
  if (mode === 'private') return
  const boot = { stage: 'fetch', bootId: readBootId(), bootNonce, uptimeMs: 0 } as const
  const verdict = await settleTrial(parts.stateDirectory ?? STATE_DIRECTORY, storeRoot, boot)
  if (verdict.is === 'failed') console.error(`plasm-agent: ${verdict.trial.digest} is left: ${verdict.reason}`)
}

/** For `plasm-agent why`. What cannot be told stops nothing. */
async function tellWhy({ runDirectory = RUN_DIRECTORY }: BootParts, failed: string, log: CandidateLog): Promise<void> {
  const look = { at: new Date().toISOString(), failed, candidates: log.verdicts() }
  await writeLastLook(runDirectory, look).catch(() => {})
}

/** The provider is not to blame, and memory may do without the disk. */
function giveUpDisk(attempts: Attempts): void {
  if (!attempts.bench) return
  console.error('plasm-agent: going on without the data disk, which failed')
  attempts.bench = undefined
}

/** A disk that cannot be used is as good as none: then the set is carried. */
async function openBench(config: AgentConfig, { dataDisk }: BootParts): Promise<StoreBench | undefined> {
  try {
    const root = await storeOnDisk(config, dataDisk)
    return root === undefined ? undefined : await openStoreBench(root, config.channel)
  } catch (thrown) {
    const { code, message } = asPlasmError(thrown)
    console.error(`plasm-agent: going on without the data disk: ${message} [${code}]`)
    return undefined
  }
}

/** One attempt, in the order of FETCH_STEPS. @throws what the last candidate failed with */
async function attempt(attempts: Attempts, log: CandidateLog): Promise<never> {
  const { parts, runner, config, policy, failures } = attempts
  const accepted = await findAccepted(attempts, log)
  const wrongClock = clockProblem(accepted[0]!.verified.manifest, policy, Date.now())
  if (wrongClock) console.error(`plasm-agent: ${wrongClock}; set it`)
  const ranked = await runner.step('rank', () => rank(accepted, config.machine, failures))
  log.ranked(ranked)
  let last: unknown
  for (const choice of ranked) {
    parts.signal?.throwIfAborted()
    try {
      await bootFrom(choice, attempts, log)
    } catch (thrown) {
      const { url } = choice.candidate
      const { code, message } = asPlasmError(thrown)
      log.rejected(choice.candidate, `${message} [${code}]`)
      failures.set(url, (failures.get(url) ?? 0) + 1)
      if (DISK_FAILURES.has(code)) giveUpDisk(attempts)
      last = thrown
    }
  }
  throw last
}
