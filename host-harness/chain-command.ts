import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { EXIT, PlasmError } from '../service/errors.ts'
import type { ChainOptions, ChainSpec } from './chain-spec.ts'
import { DISKS } from './disk-image.ts'
import { interruptedBySignal } from './interrupt.ts'
import { endOfKept, sayHowToLook } from './kept-run.ts'
import { runInside } from './namespace.ts'
import { sayOthersUp } from './others-up.ts'
import { prepare } from './prepare.ts'
import { type ProgressView, progressView } from './progress.ts'
import { proofView } from './proof-view.ts'
import { type ChainResult, chainError } from './result.ts'
import { createRunDir } from './run-dir.ts'

/** 128 + SIGINT, as shells say it. */
const EXIT_INTERRUPTED = 130

/**
 * Runs a chain, shows progress on stderr and the result on stdout: the proof, or with `json` one JSON object.
 * @returns the exit code
 */
export async function chainCommand(options: ChainOptions, json: boolean): Promise<number> {
  const interrupted = interruptedBySignal()
  const say = (text: string) => process.stderr.write(`${text}\n`)
  const print = (result: ChainResult) => {
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
    else if (result.ok) process.stdout.write(`\n${proofView(result)}\n`)
    if (!result.ok) process.stderr.write(`\n${proofView(result)}\n`)
  }
  try {
    await sayOthersUp(say)
    const runDir = await createRunDir(randomUUID())
    const spec = await prepare(options, runDir, interrupted)
    say(`logs: ${relative('.', runDir)}`)
    try {
      return exitCodeOf(await runAndShow(spec, interrupted, print, say))
    } finally {
      // With --keep a machine may be started from its disk again.
      const large = ['published', 'media', ...(options.keep ? [] : [DISKS])]
      for (const images of large) await rm(join(runDir, images), { recursive: true, force: true })
    }
  } catch (thrown) {
    print({
      ok: false,
      arch: options.arch,
      accel: null,
      setBytes: 0,
      plasmd: options.plasmd === undefined ? 'own' : 'foreign',
      rootfs: options.rootfs,
      network: options.network,
      discovery: options.discovery,
      serviceManager: null,
      lineageVerified: false,
      generations: [],
      error: chainError(thrown),
    })
    return interrupted.aborted ? EXIT_INTERRUPTED : EXIT.failed
  }
}

/** By what became of the chain: a signal that ends machines which are kept changes nothing. */
export function exitCodeOf({ ok, error }: ChainResult): number {
  if (ok) return EXIT.ok
  return error?.code === 'interrupted' ? EXIT_INTERRUPTED : EXIT.failed
}

/**
 * With `keep` it returns once the kept machines are stopped, which it says.
 * @throws PlasmError `harness-died` when the part inside ended without a result
 */
export async function runAndShow(
  spec: ChainSpec,
  signal: AbortSignal,
  print: (result: ChainResult) => void,
  say: (text: string) => void,
): Promise<ChainResult> {
  const view: ProgressView = progressView(process.stderr)
  let result: ChainResult | undefined
  let kept = false
  const inside = await runInside(spec, (event) => {
    view.show(event)
    if (event.type !== 'result') return
    result = event.result
    view.close()
    print(event.result)
    kept = spec.keep && !signal.aborted
    if (kept) void sayHowToLook(inside, event.result, say)
  })
  signal.addEventListener('abort', inside.giveUp)
  if (signal.aborted) inside.giveUp()
  await inside.ended
  if (kept) say(endOfKept(signal.reason))
  if (result) return result
  view.close()
  throw new PlasmError('harness-died', 'the harness ended inside its namespaces without a result', {
    facts: { step: 'harness' },
    hint: `see what it printed above, and ${spec.runDir}`,
  })
}
