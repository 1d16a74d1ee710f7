import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { consoleTails } from './console-tail.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HARNESS = join(ROOT, 'host-harness/cli.ts')
/** With room for building images on a fresh clone. */
const READY_WITHIN_MS = 10 * 60_000
const CLEANUP_WITHIN_MS = 25_000
const EXEC_SECONDS = 180

export interface KeptMachine extends AsyncDisposable {
  /** Runs a sh script in it by `plasm-harness exec`, as a person would. */
  sh(script: string): Promise<{ readonly exit: number; readonly stdout: string; readonly stderr: string }>
}

/** A chain of one, proven, whose machine stays up until disposed of. */
export async function keptMachine(rootfs: string): Promise<KeptMachine> {
  const words = ['chain', '--generations', '1', '--rootfs', rootfs, '--keep', '--json']
  const chain = execa(process.execPath, [HARNESS, ...words], {
    cwd: ROOT,
    stdin: 'ignore',
    reject: false,
    forceKillAfterDelay: CLEANUP_WITHIN_MS,
  })
  let said = ''
  chain.stderr.on('data', (text) => (said += String(text)))
  const result = new Promise<string>((resolve, reject) => {
    chain.stdout.once('data', (text) => resolve(String(text)))
    void chain.then(({ shortMessage }) => reject(new Error(shortMessage ?? 'the chain ended without a result')))
    setTimeout(() => reject(new Error('no result in time')), READY_WITHIN_MS).unref()
  })
  const stop = async () => {
    chain.kill('SIGTERM')
    await chain
  }
  try {
    assert.equal(JSON.parse(await result).ok, true)
  } catch (thrown) {
    await stop()
    const at = /^logs: (.+)$/m.exec(said)?.[1]
    throw new Error(`${(thrown as Error).message}\n${at ? await consoleTails(join(ROOT, at)) : said}`)
  }
  const runDir = join(ROOT, /^logs: (.+)$/m.exec(said)![1]!)
  return {
    async sh(script) {
      const place = ['--run', runDir, '--timeout', String(EXEC_SECONDS)]
      const ran = await execa(process.execPath, [HARNESS, 'exec', ...place, 'vm1', '--', 'sh', '-c', script], {
        reject: false,
        stdin: 'ignore',
        maxBuffer: 64 * 1024 * 1024,
      })
      return { exit: ran.exitCode ?? -1, stdout: ran.stdout, stderr: ran.stderr }
    },
    [Symbol.asyncDispose]: stop,
  }
}
