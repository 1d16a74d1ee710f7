import { randomBytes } from 'node:crypto'
import type { Attempts } from './boot-parts.ts'
import type { BootRecord } from './boot-record.ts'
import type { CandidateLog } from './candidate-log.ts'
import { carry } from './carry.ts'
import { crossOnDisk } from './cross-on-disk.ts'
import type { Crossing } from './crossing.ts'
import type { HandedOverSet } from './handover.ts'
import * as kexec from './kexec.ts'
import { makeRecord, readBootId } from './make-record.ts'
import { type Preflight, preflight, readFacts } from './preflight.ts'
import type { Choice } from './rank.ts'
import { type BootToProve, type Proven, requestReceipt } from './request-receipt.ts'

/** How long reports may take before the kernel that sends them is gone. */
const REPORTS_BEFORE_KEXEC_MS = 1_500

/** The steps that belong to one provider. What it left verified is there for the next one, unless kexec itself failed. */
export async function bootFrom(choice: Choice, attempts: Attempts, log: CandidateLog): Promise<never> {
  const { parts, runner, key } = attempts
  const { candidate, verified } = choice
  const provider = candidate.url
  const about = { provider }
  const nonce = newNonce()
  log.chosen(candidate)
  const { passed, crossing } = await runner.step('preflight', () => chooseCrossing(choice, attempts, nonce), about)
  const whole = await runner.step(
    'fetch',
    () => {
      const onProgress = (progress: { bytes: number; totalBytes: number }) =>
        runner.emit({ type: 'progress', step: 'fetch', ...progress })
      return crossing.fetch(candidate, onProgress, parts.transferLimits)
    },
    about,
  )
  const proven = await runner.step(
    'receipt',
    (leaveOut) => prove(attempts, crossing, { provider: candidate, nonce, verified }, leaveOut),
    about,
  )
  const handedOver = await runner.step(
    'handover',
    () => {
      const record = makeRecord(candidate, verified, thisBoot(attempts, log, passed, nonce), proven)
      return whole.handOver({ identity: { key, lineage: proven?.envelopes ?? [] }, record })
    },
    about,
  )
  return kexecInto(handedOver, passed, attempts, about)
}

/** Fresh for each boot; also on the next kernel's command line. */
export const newNonce = (): string => randomBytes(16).toString('hex')

/** What the boot record says of this machine and this boot, whatever it boots from. */
export function thisBoot(
  { config, key, memory, runner }: Attempts,
  log: CandidateLog,
  passed: Preflight,
  nonce: string,
) {
  return {
    runId: config.runId,
    machine: config.machine,
    peerId: key.peerId,
    handover: passed.handover,
    budget: passed.budget,
    lowestAvailableMiB: memory.lowestAvailableMiB(),
    fetchBootId: readBootId(),
    bootNonce: nonce,
    candidates: log.verdicts(),
    timings: runner.timings(),
  } satisfies Partial<BootRecord>
}

/** What starting another kernel takes, in either stage. */
export type KexecParts = Pick<Attempts, 'runner' | 'workbench' | 'refusedModes' | 'flush'> & {
  readonly memory: Pick<Attempts['memory'], 'lowestAvailableMiB'>
}

/** Loads and starts what was handed over. */
export async function kexecInto(
  handedOver: HandedOverSet,
  passed: Preflight,
  { runner, workbench, memory, refusedModes, flush }: KexecParts,
  about: { readonly provider: string },
): Promise<never> {
  const loaded = await runner
    .step(
      'kexec-load',
      () => {
        workbench.check()
        return kexec.load(passed.kexecProgram, handedOver, passed.commandLine, refusedModes)
      },
      about,
    )
    // kexec has its own copy now, or has refused: either way these files are only memory that is missing.
    .finally(() => workbench.clear())
  return runner.step(
    'kexec-exec',
    async () => {
      const { provider } = about
      const { bootNonce, set } = handedOver.record
      const { manifestDigest } = set
      const lowestAvailableMiB = memory.lowestAvailableMiB()
      runner.emit({ type: 'kexec', provider, manifestDigest, bootNonce, lowestAvailableMiB })
      await flush(REPORTS_BEFORE_KEXEC_MS)
      console.error(`plasm: kexec into ${manifestDigest.slice(0, 'sha256:'.length + 12)} from ${provider}`)
      return kexec.execute(loaded)
    },
    about,
  )
}

async function chooseCrossing(
  { verified }: Choice,
  { parts, workbench, bench, config }: Attempts,
  nonce: string,
): Promise<{ readonly passed: Preflight; readonly crossing: Crossing }> {
  const held = workbench.makeRoom(verified)
  const room = (await bench?.roomFor(verified)) ?? null
  const machine = await readFacts(workbench.directory, nonce, held, parts.kexecLoadDisabledFile, room)
  const facts = { ...machine, dht: config.mode === 'internet' }
  const passed = preflight(verified.manifest, facts)
  if (bench && passed.handover === 'disk') {
    workbench.clear()
    return { passed, crossing: crossOnDisk(bench, workbench, verified, facts) }
  }
  await bench?.drop()
  const kind = passed.handover === 'refetch' ? 'refetch' : 'carry'
  return { passed, crossing: carry(workbench, verified, facts, kind) }
}

/**
 * The provider's receipt, or undefined where it gives none. One that lies about itself is left, and so is all that came from it:
 * the next one is to be proven for the whole set.
 */
async function prove(
  { key }: Attempts,
  crossing: Crossing,
  boot: BootToProve,
  leaveOut: (reason: string) => void,
): Promise<Proven | undefined> {
  try {
    const answer = await requestReceipt(key, boot)
    if (!('unproven' in answer)) return answer
    leaveOut(answer.unproven)
    return undefined
  } catch (thrown) {
    await crossing.drop()
    throw thrown
  }
}
