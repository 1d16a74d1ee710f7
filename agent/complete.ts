import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asPlasmError, EXIT, PlasmError } from '../service/errors.ts'
import { artifactsOf, type ManifestArtifact } from '../service/manifest.ts'
import { readNodeKey } from '../service/node-key.ts'
import { storePaths } from '../service/store-layout.ts'
import { readTrustPolicy } from '../service/trust-policy.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import type { Place } from './candidate.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import { DISCOVERY, type DiscoverOptions, discover } from './discover.ts'
import { fetchArtifact } from './fetch-artifact.ts'
import { readSeen } from './freshness-file.ts'
import { HANDOVER } from './handover-layout.ts'
import { TRANSFER_LIMITS, type TransferLimits } from './http-body.ts'
import { createLateSink } from './late-sink.ts'
import { readBootId } from './make-record.ts'
import { readManifestIn } from './manifest-file.ts'
import { exists } from './publish.ts'
import { readRecordIn } from './record-file.ts'
import { createReporter } from './report.ts'
import { STATE_DIRECTORY } from './state-directory.ts'
import { createStepRunner, type EventSink, type StepRunner } from './steps.ts'
import { createFile, PRIVATE_FILE } from './store-files.ts'
import { type VerifiedManifest, verify } from './verify.ts'
import { writeAt } from './write-at.ts'

/** Only tests give any of it but the sinks. */
export interface CompleteParts {
  readonly sinks: readonly EventSink[]
  readonly sources?: ConfigSources
  readonly trustFile?: string
  readonly stateDirectory?: string
  readonly discovery?: DiscoverOptions
  readonly transferLimits?: TransferLimits
  readonly signal?: AbortSignal
}

const PAUSE_FIRST_SECONDS = 1
const PAUSE_LAST_SECONDS = 30
const PROGRESS_EVERY_MS = 500
const REPORTS_AT_END_MS = 1_000

type Artifact = ManifestArtifact & { readonly role: string }

/**
 * After a handover that left out what memory had no room for (`refetch`): fetches it, verified against the manifest that was handed
 * over, to where it would lie had it been carried; then init goes on. Any provider is asked, the one that this machine booted
 * from first. Tries for ever, with pauses.
 * @returns an exit code
 */
export async function complete(parts: CompleteParts): Promise<number> {
  const late = createLateSink()
  const runner = createStepRunner('serve', [...parts.sinks, late.sink])
  const told = await runner.step('config', () => readEverything(parts)).catch(asPlasmError)
  if (told instanceof PlasmError) return EXIT.badConfig
  const { config, handover, peerId, verified, provider } = told
  const { reportUrl: url, token, runId, machine } = config
  const reporter = createReporter({ url, token, runId, machine, peerId, bootId: readBootId() })
  late.attach(reporter.sink)
  for (const artifact of artifactsOf(verified.manifest)) {
    if (await exists(join(handover, artifact.role))) continue
    await using part = await openPart(handover, artifact, verified)
    const failures = new Set<string>()
    for (let pause = PAUSE_FIRST_SECONDS; ; pause = Math.min(pause * 2, PAUSE_LAST_SECONDS)) {
      if (parts.signal?.aborted) return EXIT.failed
      const failed = await runner
        .step('refetch', () => fromAny({ artifact, sink: part.sink, provider, failures, config, runner, parts }))
        .catch(asPlasmError)
      if (!failed) break
      runner.emit({ type: 'not-ready', reason: `${failed.message} [${failed.code}]; trying again in ${pause} s` })
      await sleep(pause * 1000, undefined, { signal: parts.signal }).catch(() => {})
    }
    await part.keep()
  }
  await reporter.flush(REPORTS_AT_END_MS)
  return EXIT.ok
}

/** @throws PlasmError `nothing-to-serve` where nothing was handed over, and what verify throws */
async function readEverything({ sources, trustFile, stateDirectory = STATE_DIRECTORY }: CompleteParts) {
  const config = await readConfig(sources)
  const policy = await readTrustPolicy(trustFile)
  const { handover } = storePaths(config.storeRoot)
  const raw = await readManifestIn(handover)
  if (!raw) {
    throw new PlasmError('nothing-to-serve', `nothing was handed over: ${handover} has no manifest`, {
      facts: { store: config.storeRoot, channel: config.channel, arch: config.arch },
    })
  }
  const verified = verify(raw, policy, config, { seen: await readSeen(stateDirectory) })
  const record = await readRecordIn(join(handover, HANDOVER.record))
  const key = await readNodeKey(join(handover, HANDOVER.nodeKey))
  return { config, handover, verified, provider: record?.provider.url, peerId: key?.peerId ?? null }
}

/** Each provider in turn; what one left verified is there for the next. @throws PlasmError the last one's, or `no-provider` */
async function fromAny(about: {
  readonly artifact: Artifact
  readonly sink: ArtifactSink
  readonly provider: string | undefined
  /** URLs of those who were no good before: their answers alone do not end the next search. */
  readonly failures: Set<string>
  readonly config: AgentConfig
  readonly runner: StepRunner
  readonly parts: CompleteParts
}): Promise<undefined> {
  const { artifact, sink, provider, failures, config, runner, parts } = about
  const totalBytes = artifact.size_bytes
  let told = performance.now()
  const onBytes = (bytes: number) => {
    const now = performance.now()
    if (now - told < PROGRESS_EVERY_MS) return
    told = now
    runner.emit({ type: 'progress', step: 'fetch', bytes, totalBytes })
  }
  const fetchFrom = (place: Place) =>
    fetchArtifact(place, artifact, sink, parts.transferLimits ?? TRANSFER_LIMITS, onBytes).then(() => undefined)
  if (provider?.startsWith('http')) {
    const failed = await fetchFrom({ url: provider }).catch(asPlasmError)
    if (!failed) return
    tell(runner, provider, failed)
  }
  const candidates = await discover(config, () => {}, parts.discovery ?? DISCOVERY, failures)
  let last: unknown
  for (const candidate of candidates) {
    last = await fetchFrom(candidate).catch(asPlasmError)
    if (!last) return
    failures.add(candidate.url)
    tell(runner, candidate.url, last as PlasmError)
  }
  throw last
}

function tell(runner: StepRunner, url: string, { code, message }: PlasmError): void {
  const reason = `${message} [${code}]`
  runner.emit({ type: 'candidate', url, source: 'static', generation: null, verdict: 'rejected', reason })
}

/** The file that an artifact is fetched into; it gets its name when it is whole. */
async function openPart(handover: string, { role }: Artifact, verified: VerifiedManifest) {
  const path = join(handover, `.part-${role}`)
  await rm(path, { force: true })
  const handle = await createFile(path, PRIVATE_FILE)
  const sink: ArtifactSink = {
    verified,
    kept: new Map(),
    write: (_, offset, bytes) => writeAt({ fd: handle.fd, path }, bytes, offset),
  }
  return {
    sink,
    keep: () => rename(path, join(handover, role)),
    async [Symbol.asyncDispose]() {
      await handle.close()
      await rm(path, { force: true })
    },
  }
}
