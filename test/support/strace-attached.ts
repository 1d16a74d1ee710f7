import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { StageProgram } from './stage-program.ts'

/**
 * Stages in a process of its own whose system calls are traced from the moment on when it begins to stage, so that those that
 * Node makes to start are neither counted nor tampered with. One libuv thread does all file work (UV_THREADPOOL_SIZE): strace
 * counts calls for each thread.
 * @param script stage-program.ts, bundled
 * @returns how staging ended: an exit code or a signal
 */
export async function stageTraced(
  script: string,
  program: StageProgram,
  straceArgs: readonly string[],
): Promise<number | string> {
  const child = spawn(process.execPath, [script, JSON.stringify({ ...program, waits: true })], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
  })
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  child.stdin.on('error', () => {})
  await once(child.stdout, 'data')
  child.stdout.resume()
  const strace = spawn('strace', ['-f', '-p', String(child.pid), ...straceArgs], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const straceEnded = once(strace, 'exit')
  await attached(strace)
  child.stdin.end('go')
  const how = await ended
  await straceEnded
  return how
}

/** strace says so on standard error once it holds all threads. */
async function attached(strace: ChildProcess): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    strace.stderr!.on('data', (data: Buffer) => {
      said += data.toString()
      if (/Process \d+ attached/.test(said)) resolve()
    })
    strace.once('exit', () => reject(new Error(`strace does not attach: ${said}`)))
  })
}
