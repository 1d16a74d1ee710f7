import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import { type ConsoleLine, lineSplitter } from './console.ts'
import { type ConsolePipes, makeConsolePipes, openConsolePipes, removeConsolePipes } from './console-pipes.ts'
import { type ExecLimit, type Executed, openGuestExec } from './guest-exec.ts'
import { EXEC_FD, MACHINE_ARCHES, type QemuSpec, QMP_FD, qemuArgs } from './qemu-args.ts'
import { openQmp } from './qmp.ts'

/** About a screen: who attaches to a console sees where it is. */
const RECENT_BYTES = 2048

export interface Machine extends AsyncDisposable {
  readonly name: string
  /** When QEMU was started, milliseconds of `performance.now()`. */
  readonly startedAt: number
  readonly lines: readonly ConsoleLine[]
  /** Events RESET seen on QMP: how often the machine started anew by its firmware instead of by kexec. */
  resets(): number
  /** How QEMU ended, one sentence; undefined while it lives. */
  ended(): string | undefined
  readonly consoleLog: string
  /** Resolves when QEMU has ended. */
  readonly gone: Promise<void>
  /** What the console said last, at once, and says from now on, byte for byte. @returns what ends it */
  onConsole(listener: (bytes: Uint8Array) => void): () => void
  /** Types on the console. */
  type(bytes: Uint8Array): void
  /**
   * Runs a command in the guest as root, in either stage: a script of sh, or a program and its arguments. One after the
   * other; waits until the guest's end is up.
   * @throws PlasmError `exec-no-guest` | `exec-timeout` | `exec-lost` (facts: `machine`)
   */
  exec(command: string | readonly string[], limit?: ExecLimit): Promise<Executed>
}

/**
 * Starts QEMU with QMP on an inherited socket and its console on pipes; returns when the guest runs. Leaves `<name>.console.log` and
 * `<name>.qemu.log` in the run's directory. Disposing kills it, as a power cut would.
 * @throws PlasmError `machine-failed` when QEMU ends before its guest runs
 */
export async function startMachine(
  spec: QemuSpec,
  runDir: string,
  onLine: (line: ConsoleLine) => void = () => {},
): Promise<Machine> {
  const { program } = MACHINE_ARCHES[spec.arch]
  const consoleLog = join(runDir, `${spec.name}.console.log`)
  const qemuLog = join(runDir, `${spec.name}.qemu.log`)
  const consolePath = join(runDir, `${spec.name}.console`)
  await makeConsolePipes(consolePath)
  const startedAt = performance.now()
  const qemu = execa(program, qemuArgs(spec, consolePath), {
    stdio: ['ignore', 'ignore', { file: qemuLog }, 'pipe', 'pipe'],
    buffer: false,
    reject: false,
  })
  let ended: string | undefined
  const exit = qemu.then((result) => {
    const notStarted = result.exitCode === undefined && !result.signal
    if (notStarted) ended ??= result.shortMessage ?? 'QEMU does not start'
    ended ??= result.signal ? `QEMU was ended by ${result.signal}` : `QEMU ended with code ${result.exitCode}`
  })

  const lines: ConsoleLine[] = []
  const split = lineSplitter()
  const log = createWriteStream(consoleLog)
  const listeners = new Set<(bytes: Uint8Array) => void>()
  let recent = Buffer.alloc(0)
  const hear = (chunk: Buffer) => {
    log.write(chunk)
    recent = Buffer.concat([recent, chunk]).subarray(-RECENT_BYTES)
    for (const listener of listeners) listener(chunk)
    for (const line of split(chunk, performance.now())) {
      lines.push(line)
      onLine(line)
    }
  }
  const { exec } = openGuestExec(qemu.stdio[EXEC_FD] as unknown as Duplex, spec.name)

  let resets = 0
  let serial: ConsolePipes | undefined
  const stop = async () => {
    qemu.kill('SIGKILL')
    await exit
    await removeConsolePipes(consolePath)
    serial?.input.destroy()
    if (serial && !serial.output.closed) await once(serial.output, 'close')
    log.end()
  }
  try {
    const qmp = await openQmp(qemu.stdio[QMP_FD] as unknown as Duplex, ({ event }) => {
      if (event === 'RESET') resets += 1
    })
    serial = await openConsolePipes(consolePath)
    serial.output.on('data', hear)
    await qmp.execute('cont')
  } catch (cause) {
    await stop()
    throw new PlasmError('machine-failed', `${spec.name}: ${program} did not start its guest: ${ended}`, {
      facts: { step: 'firmware', machine: spec.name },
      hint: `see ${qemuLog}`,
      cause,
    })
  }
  const { input } = serial
  return {
    name: spec.name,
    startedAt,
    lines,
    consoleLog,
    gone: exit,
    onConsole(listener) {
      if (recent.length > 0) listener(recent)
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    type: (bytes) => void (input.writable && input.write(bytes)),
    exec,
    resets: () => resets,
    ended: () => ended,
    async [Symbol.asyncDispose]() {
      ended ??= 'the run stopped it'
      await stop()
    },
  }
}
