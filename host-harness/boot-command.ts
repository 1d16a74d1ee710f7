import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { EXIT } from '../service/errors.ts'
import { guestPlace } from './addresses.ts'
import { attachConsole } from './attach-console.ts'
import type { ChainEvent, ChainOptions, ChainSpec } from './chain-spec.ts'
import { connectToRun } from './control-client.ts'
import { DISKS } from './disk-image.ts'
import { interruptedBySignal } from './interrupt.ts'
import { openConsole, say, sayError, sayProblem } from './look-commands.ts'
import { runInside } from './namespace.ts'
import { sayOthersUp } from './others-up.ts'
import { prepare } from './prepare.ts'
import type { ChainResult } from './result.ts'
import type { Rootfs } from './rootfs.ts'
import { createRunDir } from './run-dir.ts'
import type { Discovery, NetworkKind } from './topology.ts'

export interface BootOptions {
  readonly arch: Arch
  readonly memoryMiB: number
  readonly rootfs: Rootfs
  readonly disk?: number | undefined
  readonly network: NetworkKind
  readonly discovery: Discovery
  /** Further words of the kernel command line. */
  readonly parameters: readonly string[]
}

const MACHINE = guestPlace(1).name

/**
 * Boots one machine, as a chain of one with an origin beside it, and attaches the terminal to its console. It stays up until
 * the console is left, whatever becomes of it.
 * @returns the exit code: 0 once it was up
 */
export async function bootCommand(options: BootOptions): Promise<number> {
  const interrupted = interruptedBySignal()
  try {
    await sayOthersUp(say)
    const runDir = await createRunDir(randomUUID())
    const chain: ChainOptions = { ...options, generations: 1, providers: 'all', unsigned: false, keep: true }
    const spec = await prepare(chain, runDir, interrupted)
    say(`logs: ${relative('.', runDir)}`)
    try {
      return await bootAndLook(spec, interrupted)
    } finally {
      for (const images of ['published', 'media', DISKS])
        await rm(join(runDir, images), { recursive: true, force: true })
    }
  } catch (thrown) {
    sayError(thrown)
    return EXIT.failed
  }
}

async function bootAndLook(spec: ChainSpec, interrupted: AbortSignal): Promise<number> {
  let result: ChainResult | undefined
  let looking = false
  const started = Promise.withResolvers<boolean>()
  const inside = await runInside(spec, (event: ChainEvent) => {
    // While the terminal is the machine's, nobody else writes on it.
    if (event.type === 'say' && !looking) say(event.text)
    if (event.type === 'machine' && event.progress.doing === 'firmware') started.resolve(true)
    if (event.type !== 'result') return
    result = event.result
    // Not started before there is a result: it failed on the way there.
    started.resolve(false)
  })
  const over = new AbortController()
  const giveUp = () => {
    inside.giveUp()
    over.abort()
    started.resolve(false)
  }
  interrupted.addEventListener('abort', giveUp)
  if (interrupted.aborted) giveUp()
  void inside.ended.then(giveUp)
  try {
    looking = await started.promise
    if (looking) await look(spec.runDir, over.signal)
  } finally {
    giveUp()
    await inside.ended
  }
  const problem = result?.error?.code === 'interrupted' ? undefined : result?.error
  if (problem) sayProblem(problem)
  else if (looking) say(`${MACHINE} ${result?.ok ? 'had become a provider' : 'was not proven to be a provider yet'}`)
  return looking || interrupted.aborted ? EXIT.ok : EXIT.failed
}

async function look(runDir: string, until: AbortSignal): Promise<void> {
  const control = await connectToRun(runDir)
  await openConsole(control, MACHINE)
  say(
    process.stdin.isTTY
      ? `this terminal is ${MACHINE}'s console now; Ctrl-] leaves it and stops the machine`
      : `what follows is ${MACHINE}'s console; Ctrl-C stops the machine`,
  )
  say(`from another terminal: npm run harness -- exec ${MACHINE} -- plasm-agent status`)
  await attachConsole(control.socket, process, { until })
}
