import { constants, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { execa } from 'execa'

/** The host's end of a guest's serial console. */
export interface ConsolePipes {
  /** What the guest says. */
  readonly output: Socket
  /** What a person types. */
  readonly input: Socket
}

/** What QEMU puts behind the path of `-chardev pipe`. */
const ENDINGS = ['.out', '.in'] as const

/**
 * A serial port does not wait: what its host does not take within 10 ms the kernel overwrites (its 8250 driver's patience).
 * QEMU hands characters on one by one, of which a Unix socket holds 278 and a pipe 65,536: seconds of this process being busy
 * elsewhere. So the console is a pair of named pipes.
 * @param path of `-chardev pipe,path=`
 */
export async function makeConsolePipes(path: string): Promise<void> {
  await removeConsolePipes(path)
  // Debian and macOS have it; Node cannot make named pipes.
  await execa('mkfifo', ['-m', '600', ...ENDINGS.map((ending) => path + ending)])
}

/** Once QEMU has opened its ends; the names are needed no more, and none is left. */
export async function openConsolePipes(path: string): Promise<ConsolePipes> {
  const output = new Socket({ fd: openEnd(`${path}.out`, constants.O_RDONLY), readable: true, writable: false })
  const input = new Socket({ fd: openEnd(`${path}.in`, constants.O_WRONLY), readable: false, writable: true })
  // Their other ends go with QEMU.
  output.on('error', () => {})
  input.on('error', () => {})
  await removeConsolePipes(path)
  return { output, input }
}

export async function removeConsolePipes(path: string): Promise<void> {
  for (const ending of ENDINGS) await rm(path + ending, { force: true })
}

const openEnd = (file: string, direction: number) => openSync(file, direction | constants.O_NONBLOCK)
