import { randomBytes } from 'node:crypto'
import type { Attempts } from './boot-parts.ts'
import type { CandidateLog } from './candidate-log.ts'
import { fetchSet } from './fetch-set.ts'
import { handOver } from './handover.ts'
import * as kexec from './kexec.ts'
import { makeRecord, readBootId } from './make-record.ts'
import { preflight, readFacts } from './preflight.ts'
import type { Choice } from './rank.ts'
import { type BootToProve, type Proven, requestReceipt } from './request-receipt.ts'

/** How long reports may take before the kernel that sends them is gone. */
const REPORTS_BEFORE_KEXEC_MS = 1_500

/** The steps that belong to one provider. What it left verified is there for the next one, unless kexec itself failed. */
export async function bootFrom(choice: Choice, attempts: Attempts, log: CandidateLog): Promise<never> {
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
