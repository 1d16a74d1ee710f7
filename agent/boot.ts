import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { clockProblem } from '../service/clock.ts'
import { asPlasmError, EXIT } from '../service/errors.ts'
import type { NodeKey } from '../service/node-key.ts'
import { readTrustPolicy, type TrustPolicy } from '../service/trust-policy.ts'
import { buildInfo } from '../service/version.ts'
import type { Candidate, RejectedCandidate } from './candidate.ts'
import { type CandidateLog, createCandidateLog } from './candidate-log.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import { type DiscoverOptions, discover } from './discover.ts'
import { createManifestAsker, type ManifestAsker } from './fetch-manifests.ts'
import { fetchSet } from './fetch-set.ts'
import { readSeen } from './freshness-file.ts'
import { handOver } from './handover.ts'
import type { TransferLimits } from './http-body.ts'
import * as kexec from './kexec.ts'
import { createLateSink } from './late-sink.ts'
import { machineKey } from './machine-key.ts'
import { makeRecord, readBootId } from './make-record.ts'
import { type MemoryWatch, watchMemory } from './memory.ts'
import { preflight, readFacts } from './preflight.ts'
import { type Choice, rank } from './rank.ts'
import type { Reporter } from './report.ts'
import { type BootToProve, loadReceipts, type Proven, requestReceipt } from './request-receipt.ts'
import { onlyAccepted, onlyAnswered } from './sift.ts'
import { STATE_DIRECTORY } from './state-directory.ts'
import { createStepRunner, type EventSink, type StepRunner } from './steps.ts'
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
  readonly openReporter: (config: AgentConfig, peerId: string) => Pick<Reporter, 'sink' | 'flush'>
  readonly sources?: ConfigSources
  readonly trustFile?: string
  readonly scratchDirectory?: string
  /** What this machine remembers between boots. */
  readonly stateDirectory?: string
  /** What this machine remembers while it runs. */
  readonly runDirectory?: string
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
  readonly key: NodeKey
  readonly workbench: Workbench
  readonly memory: MemoryWatch
  readonly flush: (milliseconds: number) => Promise<void>
  /** Base URL -> failures so far. */
  readonly failures: Map<string, number>
  readonly refusedModes: Set<kexec.LoadMode>
  /** This image accepts nothing of what was found. */
  refusedAll: boolean
}

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
    refusedAll: false,
  }
  for (let pause = PAUSE_FIRST_SECONDS; !parts.signal?.aborted; pause = Math.min(pause * 2, PAUSE_LAST_SECONDS)) {
    const { code, message } = asPlasmError(await attempt(attempts).catch((thrown: unknown) => thrown))
    if (attempts.refusedAll) {
      runner.emit({ type: 'not-ready', reason: `${message} [${code}]` })
      await reporter.flush(REPORTS_BEFORE_KEXEC_MS)
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

/** One attempt, in the order of FETCH_STEPS. @throws what the last candidate failed with */
async function attempt(attempts: Attempts): Promise<never> {
  const { parts, runner, config, policy, failures } = attempts
  const log = createCandidateLog(runner.emit)
  const manifests = createManifestAsker(config, policy)
  const candidates = await runner.step('discover', () => discover(config, asking(manifests, log), parts.discovery))
  const answered = await runner.step('manifests', async () => onlyAnswered(await manifests.answers(candidates), log))
  attempts.refusedAll = true
  const accepted = await runner.step('verify', async () =>
    onlyAccepted(answered, policy, config, log, {
      seen: await readSeen(parts.stateDirectory ?? STATE_DIRECTORY),
      failures,
    }),
  )
  attempts.refusedAll = false
  const wrongClock = clockProblem(accepted[0]!.verified.manifest, policy, Date.now())
  if (wrongClock) console.error(`plasm-agent: ${wrongClock}; set it`)
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

/**
 * What is found is asked for its manifest while more answers are waited for, when the processor is idle; what receipts need
 * loads meanwhile, too.
 */
function asking(manifests: ManifestAsker, log: CandidateLog): (found: Candidate | RejectedCandidate) => void {
  return (found) => {
    log.found(found)
    if ('reason' in found) return
    manifests.begin(found)
    void loadReceipts()
  }
}

/** The steps that belong to one provider. What it left verified is there for the next one, unless kexec itself failed. */
async function bootFrom(choice: Choice, attempts: Attempts, log: CandidateLog): Promise<never> {
  const { parts, runner, config, key, workbench, memory } = attempts
  const { candidate, verified } = choice
  const provider = candidate.url
  const about = { provider }
  const nonce = randomBytes(16).toString('hex')
  log.chosen(candidate)
  const passed = await runner.step(
    'preflight',
    async () => {
      const held = workbench.makeRoom(verified)
      return preflight(
        verified.manifest,
        await readFacts(workbench.directory, nonce, held, parts.kexecLoadDisabledFile),
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
  const proven = await runner.step(
    'receipt',
    (leaveOut) => prove(attempts, { provider, nonce, verified }, leaveOut),
    about,
  )
  const handedOver = await runner.step(
    'handover',
    () => {
      const record = makeRecord(
        candidate,
        verified,
        {
          runId: config.runId,
          machine: config.machine,
          peerId: key.peerId,
          budget: passed.budget,
          lowestAvailableMiB: memory.lowestAvailableMiB(),
          fetchBootId: readBootId(),
          bootNonce: nonce,
          candidates: log.verdicts(),
          timings: runner.timings(),
        },
        proven,
      )
      return handOver(complete, workbench.files.kernel, { key, lineage: proven?.envelopes ?? [], record })
    },
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
      runner.emit({ type: 'kexec', provider, manifestDigest: verified.digest, bootNonce: nonce, lowestAvailableMiB })
      await attempts.flush(REPORTS_BEFORE_KEXEC_MS)
      console.error(`plasm: kexec into ${verified.digest.slice(0, 'sha256:'.length + 12)} from ${provider}`)
      return kexec.execute(loaded)
    },
    about,
  )
}

/**
 * The provider's receipt, or undefined where it gives none. One that lies about itself is left, and so is all that came from it:
 * the next one is to be proven for the whole set.
 */
async function prove(
  { key, workbench }: Attempts,
  boot: BootToProve,
  leaveOut: (reason: string) => void,
): Promise<Proven | undefined> {
  try {
    const answer = await requestReceipt(key, boot)
    if (!('unproven' in answer)) return answer
    leaveOut(answer.unproven)
    return undefined
  } catch (thrown) {
    workbench.clear()
    throw thrown
  }
}
