import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

export const PLASMD = fileURLToPath(new URL('../../service/plasmd.ts', import.meta.url))

export interface PlasmdUnderTest {
  readonly child: ChildProcess
  readonly pid: number
  readonly port: number
  /** What it has logged, parsed. */
  readonly log: () => ReadonlyArray<Record<string, unknown>>
}

/** Runs `plasmd serve` on a free loopback port, in the DHT only where a port for that is given, until it says where it serves; killed after the test. */
export async function startPlasmd(t: TestContext, args: readonly string[]): Promise<PlasmdUnderTest> {
  const dht = args.includes('--dht-port') ? [] : ['--no-dht']
  const child = spawn(process.execPath, [PLASMD, 'serve', '--port', '0', '--bind', '127.0.0.1', ...dht, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  let text = ''
  const log = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr!.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      const serving = text.startsWith('{') ? log().find(({ msg }) => msg === 'serving') : undefined
      if (serving) resolve(Number(new URL(serving.url as string).port))
    })
    child.once('exit', (code) => reject(new Error(`plasmd ended with ${code}: ${text}`)))
  })
  return { child, pid: child.pid!, port, log }
}

export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024)
}
