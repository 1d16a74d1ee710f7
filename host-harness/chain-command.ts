import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { EXIT, PlasmError } from '../service/errors.ts'
import { guestPlace, ORIGIN } from './addresses.ts'
import type { ChainOptions, ChainSpec } from './chain-spec.ts'
import { DISKS } from './disk-image.ts'
import { type InsideRun, runInside } from './namespace.ts'
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
  const interrupt = new AbortController()
  const onSignal = () => interrupt.abort()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  const say = (text: string) => process.stderr.write(`${text}\n`)
  const print = (result: ChainResult) => {
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
    else if (result.ok) process.stdout.write(`\n${proofView(result)}\n`)
    if (!result.ok) process.stderr.write(`\n${proofView(result)}\n`)
  }
  try {
    const runDir = await createRunDir(randomUUID())
    const spec = await prepare(options, runDir, interrupt.signal)
    say(`logs: ${relative('.', runDir)}`)
    try {
      const result = await runAndShow(spec, interrupt.signal, print, say)
      return result.ok ? EXIT.ok : interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT.failed
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
    return interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT.failed
  }
}

/** @throws PlasmError `harness-died` when the part inside ended without a result */
async function runAndShow(
  spec: ChainSpec,
  signal: AbortSignal,
  print: (result: ChainResult) => void,
  say: (text: string) => void,
): Promise<ChainResult> {
  const view: ProgressView = progressView(process.stderr)
  let result: ChainResult | undefined
  const inside = await runInside(spec, (event) => {
    view.show(event)
    if (event.type !== 'result') return
    result = event.result
    view.close()
    print(event.result)
    if (spec.keep && !signal.aborted) void sayHowToLook(inside, event.result, say)
  })
  signal.addEventListener('abort', inside.giveUp)
  if (signal.aborted) inside.giveUp()
  await inside.ended
  if (result) return result
  view.close()
  throw new PlasmError('harness-died', 'the harness ended inside its namespaces without a result', {
    facts: { step: 'harness' },
    hint: `see what it printed above, and ${spec.runDir}`,
  })
}

async function sayHowToLook(inside: InsideRun, result: ChainResult, say: (text: string) => void): Promise<void> {
  const user = process.geteuid?.() === 0 ? '' : ' --user --preserve-credentials'
  const enter = `nsenter --target ${await inside.pid()}${user} --net`
  say('\nThe machines stay up until Ctrl-C. To look inside, from another terminal:')
  const machines = [
    ...result.generations.map(({ machine }) => machine),
    // The one that failed, which may be the origin: nobody can go into that one.
    ...(result.error?.machine && result.error.machine !== ORIGIN.name ? [result.error.machine] : []),
  ]
  for (const machine of machines) {
    say(`  npm run harness -- exec ${machine} -- plasm-agent status`)
    say(`  npm run harness -- console ${machine}        (Ctrl-] leaves it)`)
  }
  say('and from beside them:')
  const last = result.generations.at(-1)?.address ?? guestPlace(1, result.network === 'routed').address
  say(`  ${enter} curl http://${last}:8080/status`)
  say(`  ${enter} nft list counters`)
}
