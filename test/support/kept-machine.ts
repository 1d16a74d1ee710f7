import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type ChainProof, parseChainProof } from './chain-contract.ts'
import { consoleTails } from './console-tail.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HARNESS = join(ROOT, 'host-harness/cli.ts')
/** With room for building images on a fresh clone. */
const READY_WITHIN_MS = 10 * 60_000
const CLEANUP_WITHIN_MS = 25_000
const EXEC_SECONDS = 180

export interface KeptMachine extends AsyncDisposable {
  readonly proof: ChainProof
  readonly runDir: string
  /** Runs a sh script in it by `plasm-harness exec`, as a person would. */
  sh(script: string): Promise<{ readonly exit: number; readonly stdout: string; readonly stderr: string }>
}

/**
 * A proven chain whose machines stay up until disposed of, which cuts their power.
 * @param options of `chain`, in place of those for a chain of one
 */
export async function keptMachine(...options: string[]): Promise<KeptMachine> {
  const about = options.length > 0 ? options : ['--generations', '1']
  const chain = execa(process.execPath, [HARNESS, 'chain', ...about, '--keep', '--json'], {
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
  let proof: ChainProof
  try {
    const line = await result
    assert.equal(JSON.parse(line).ok, true, line)
    proof = parseChainProof(line)
  } catch (thrown) {
    await stop()
    const at = /^logs: (.+)$/m.exec(said)?.[1]
    throw new Error(`${(thrown as Error).message}\n${at ? await consoleTails(join(ROOT, at)) : said}`)
  }
  const runDir = join(ROOT, /^logs: (.+)$/m.exec(said)![1]!)
  return {
    proof,
    runDir,
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
