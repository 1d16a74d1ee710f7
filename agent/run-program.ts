import { spawn } from 'node:child_process'

export interface Ended {
  /** The exit code, or the signal's name: a death by signal is no exit 0. */
  readonly exit: string
  /** The end of what it wrote, to either stream. */
  readonly said: string
}

/**
 * Runs a program to its end, with a clean environment and no standard input.
 * @param onStarted told its pid; returns what to call when it has ended
 * @throws the error of spawn(2) when it cannot be started
 */
export function runProgram(
  program: string,
  args: readonly string[],
  onStarted: (pid: number) => () => void = () => () => {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const stop = child.pid === undefined ? () => {} : onStarted(child.pid)
    let said = ''
    const hear = (data: Buffer) => {
      said = `${said}${data.toString('utf8')}`.slice(-2000)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      stop()
      resolve({ exit: signal ?? String(code), said: said.trim() })
    })
  })
}
