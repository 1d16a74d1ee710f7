import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import { PlasmError } from '../service/errors.ts'

export interface QmpEvent {
  readonly event: string
  readonly data?: Readonly<Record<string, unknown>>
}

export interface Qmp {
  /** @returns what the command returns. @throws PlasmError `qmp-failed` when QEMU refuses it or is gone */
  execute(command: string): Promise<unknown>
}

interface Message extends Partial<QmpEvent> {
  readonly return?: unknown
  readonly error?: { readonly desc: string }
}

/**
 * A client of QEMU's machine protocol: JSON lines; each command is answered in order, and events come in between
 * (QEMU: docs/interop/qmp-spec). Resolves when capabilities are negotiated, from when on no event is missed.
 */
export async function openQmp(stream: Duplex, onEvent: (event: QmpEvent) => void): Promise<Qmp> {
  const waiting: Array<{ resolve(value: unknown): void; reject(error: Error): void }> = []
  const lines = createInterface({ input: stream })
  // readline emits its input's errors again; `gone` below handles them.
  lines.on('error', () => {})
  lines.on('line', (line) => {
    const message = JSON.parse(line) as Message
    if (message.event !== undefined) return onEvent(message as QmpEvent)
    if (message.error) return waiting.shift()?.reject(failed(message.error.desc))
    if ('return' in message) waiting.shift()?.resolve(message.return)
  })
  const gone = () => {
    for (const { reject } of waiting.splice(0)) reject(failed('QEMU closed the connection'))
  }
  stream.on('close', gone)
  stream.on('error', gone)
  const execute = (command: string) =>
    new Promise<unknown>((resolve, reject) => {
      if (stream.destroyed) return reject(failed('QEMU closed the connection'))
      waiting.push({ resolve, reject })
      stream.write(`${JSON.stringify({ execute: command })}\n`)
    })
  await execute('qmp_capabilities')
  return { execute }
}

const failed = (said: string) => new PlasmError('qmp-failed', said)
