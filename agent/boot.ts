import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { buildInfo } from '../service/version.ts'
import { createCandidateLog } from './candidate-log.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import { type DiscoverOptions, discover } from './discover.ts'
import { fetchManifests } from './fetch-manifests.ts'
import { fetchSet } from './fetch-set.ts'
import { handOver } from './handover.ts'
import { loadHttp, type TransferLimits } from './http-body.ts'
import * as kexec from './kexec.ts'
import { createLateSink } from './late-sink.ts'
import { makeRecord, readBootId } from './make-record.ts'
import { type MemoryWatch, watchMemory } from './memory.ts'
import { preflight, readFacts } from './preflight.ts'
import { type Choice, rank } from './rank.ts'
import type { Reporter } from './report.ts'
import { onlyAccepted, onlyAnswered } from './sift.ts'
import { createStepRunner, type EventSink, type StepRunner } from './steps.ts'
import { readTrustPolicy, type TrustPolicy } from './trust.ts'
import { createWorkbench, type Workbench } from './workbench.ts'

/** Where the new initrd is built: a tmpfs that init mounts for it. */
const SCRATCH_DIRECTORY = '/run/plasm/boot'
const REPORTS_BEFORE_KEXEC_MS = 1_500
const PAUSE_FIRST_SECONDS = 1
const PAUSE_LAST_SECONDS = 30

/** What the fetch stage is given. Only tests give the optional parts. */
export interface BootParts {
  readonly sinks: readonly EventSink[]
  /** Opens the reporter once the configuration says where reports go. */
  readonly openReporter: (config: AgentConfig) => Pick<Reporter, 'sink' | 'flush'>
  readonly sources?: ConfigSources
  readonly trustFile?: string
  readonly scratchDirectory?: string
  readonly kexecLoadDisabledFile?: string
  readonly discovery?: DiscoverOptions
  readonly transferLimits?: TransferLimits
  /** Ends the attempts. */
  readonly signal?: AbortSignal
}

/** All that lasts through the attempts of one fetch stage. */
interface Attempts {
  readonly parts: BootParts
  readonly runner: StepRunner
  readonly config: AgentConfig
  readonly policy: TrustPolicy
  readonly workbench: Workbench
  readonly memory: MemoryWatch
  readonly flush: (milliseconds: number) => Promise<void>
  /** Base URL -> failures so far. */
  readonly failures: Map<string, number>
  readonly refusedModes: Set<kexec.LoadMode>
}

/**
 * The fetch stage: ends in kexec and does not return then. Tries for ever, with pauses; only a configuration or a trust
 * policy that is wrong ends it, since neither gets better by itself.
 * @returns an exit code
 */
export async function boot(parts: BootParts): Promise<number> {
  const late = createLateSink()
  const runner = createStepRunner('fetch', [...parts.sinks, late.sink])
  const { version, commit } = buildInfo()
  runner.emit({ type: 'stage-started', stage: 'fetch', version, commit })
  const told = await runner.step('config', () => readEverything(parts)).catch(() => undefined)
  if (!told) return EXIT.badConfig
  const reporter = parts.openReporter(told.config)
  late.attach(reporter.sink)
  const workbench = createWorkbench(parts.scratchDirectory ?? SCRATCH_DIRECTORY)
  const memory = watchMemory()
  const attempts: Attempts = {
    parts,
    runner,
    ...told,
    workbench,
    memory,
    flush: reporter.flush,
    failures: new Map(),
    refusedModes: new Set(),
  }
  for (let pause = PAUSE_FIRST_SECONDS; !parts.signal?.aborted; pause = Math.min(pause * 2, PAUSE_LAST_SECONDS)) {
    const { code, message } = asPlasmError(await attempt(attempts).catch((thrown: unknown) => thrown))
    // Looking for a provider has its own deadline, and the next one may appear at any moment.
    if (code === 'no-provider') pause = PAUSE_FIRST_SECONDS
    runner.emit({ type: 'not-ready', reason: `${message} [${code}]; trying again in ${pause} s` })
    await sleep(pause * 1000, undefined, { signal: parts.signal }).catch(() => {})
  }
  workbench.clear()
  memory.stop()
  return EXIT.failed
}

async function readEverything({ sources, trustFile }: BootParts) {
  return { config: await readConfig(sources), policy: await readTrustPolicy(trustFile) }
}

/** One attempt, in the order of FETCH_STEPS. @throws what the last candidate failed with */
async function attempt(attempts: Attempts): Promise<never> {
  const { parts, runner, config, policy, failures } = attempts
  const log = createCandidateLog(runner.emit)
  const candidates = await runner.step('discover', () => discover(config, readying(log.found), parts.discovery))
  const answered = await runner.step('manifests', async () =>
    onlyAnswered(await fetchManifests(candidates, config), log),
  )
  const accepted = await runner.step('verify', () => onlyAccepted(answered, policy, config, log))
  const ranked = await runner.step('rank', () => rank(accepted, config.machine, failures))
  log.ranked(ranked.map(({ candidate }) => candidate))
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
      last = thrown
    }
  }
  throw last
}

/** What is found will be asked next: HTTP loads while more answers are waited for, when the processor is idle. */
function readying<T>(onFound: (found: T) => void): (found: T) => void {
  return (found) => {
    onFound(found)
    void loadHttp()
  }
}

/** The steps that belong to one provider. What it left verified is there for the next one, unless kexec itself failed. */
async function bootFrom(
  choice: Choice,
  attempts: Attempts,
  log: ReturnType<typeof createCandidateLog>,
): Promise<never> {
  const { parts, runner, config, workbench, memory } = attempts
  const { candidate, verified } = choice
  const provider = candidate.url
  const about = { provider }
  const bootNonce = randomBytes(16).toString('hex')
  log.chosen(candidate)
  const passed = await runner.step(
    'preflight',
    async () => {
      const held = workbench.makeRoom(verified)
      return preflight(
        verified.manifest,
        await readFacts(workbench.directory, bootNonce, held, parts.kexecLoadDisabledFile),
      )
    },
    about,
  )
  const complete = await runner.step(
    'fetch',
    () => {
      const onProgress = (progress: { bytes: number; totalBytes: number }) =>
        runner.emit({ type: 'progress', step: 'fetch', ...progress })
      return fetchSet(provider, workbench.writer(verified, passed.facts), onProgress, parts.transferLimits)
    },
    about,
  )
  const handedOver = await runner.step(
    'handover',
    () =>
      handOver(
        complete,
        workbench.files.kernel,
        makeRecord(candidate, verified, {
          runId: config.runId,
          machine: config.machine,
          budget: passed.budget,
          lowestAvailableMiB: memory.lowestAvailableMiB(),
          fetchBootId: readBootId(),
          bootNonce,
          candidates: log.verdicts(),
          timings: runner.timings(),
        }),
      ),
    about,
  )
  const loaded = await runner
    .step(
      'kexec-load',
      () => {
        workbench.check()
        return kexec.load(passed.kexecProgram, handedOver, passed.commandLine, attempts.refusedModes)
      },
      about,
    )
    // kexec has its own copy now, or has refused: either way these files are only memory that is missing.
    .finally(() => workbench.clear())
  return runner.step(
    'kexec-exec',
    async () => {
      const lowestAvailableMiB = memory.lowestAvailableMiB()
      runner.emit({ type: 'kexec', provider, manifestDigest: verified.digest, bootNonce, lowestAvailableMiB })
      await attempts.flush(REPORTS_BEFORE_KEXEC_MS)
      console.error(`plasm: kexec into ${verified.digest.slice(0, 'sha256:'.length + 12)} from ${provider}`)
      return kexec.execute(loaded)
    },
    about,
  )
}
