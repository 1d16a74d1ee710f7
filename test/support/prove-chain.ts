import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type ChainProof, parseChainProof } from './chain-contract.ts'
import { consoleTails } from './console-tail.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Above the harness's own deadlines, which say more, and with room for building images on a fresh clone. */
const RUN_WITHIN_MS = 10 * 60_000
/** The harness gives itself 20 s to clean up. */
const CLEANUP_WITHIN_MS = 25_000

/** Runs `plasm-harness chain --json` with these arguments; a chain that is not proven fails the test, with the machines' last words. */
export async function proveChain(...args: string[]): Promise<ChainProof> {
  const ran = await execa(process.execPath, ['host-harness/cli.ts', 'chain', ...args, '--json'], {
    cwd: ROOT,
    stdin: 'ignore',
    reject: false,
    timeout: RUN_WITHIN_MS,
    forceKillAfterDelay: CLEANUP_WITHIN_MS,
  })
  const line = ran.stdout.split('\n').at(-1) ?? ''
  if (ran.failed) assert.fail(`${ran.shortMessage}\n${line}\n${await whatHappened(ran.stderr)}`)
  return parseChainProof(line)
}

/** The consoles where there are any, else what the harness said before there was a machine. */
async function whatHappened(stderr: string): Promise<string> {
  const runDir = /^logs: (.+)$/m.exec(stderr)?.[1]
  return runDir ? consoleTails(join(ROOT, runDir)) : stderr
}
