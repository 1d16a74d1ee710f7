import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { namespacesHere } from '../support/in-namespaces.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HARNESS = join(ROOT, 'host-harness/cli.ts')
/** With room for building images on a fresh clone. */
const WITHIN_MS = 10 * 60_000
const LAST_CHARACTERS = 3000

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

test('boot: the terminal is the console from the firmware on, and exec goes in before and after kexec', {
  skip,
}, async (t) => {
  const words = [process.execPath, HARNESS, 'boot', '--parameters', 'plasm.test=look']
  // script(1) gives it a terminal.
  const terminal = execa('script', ['-qec', words.map((word) => `'${word}'`).join(' '), '/dev/null'], {
    cwd: ROOT,
    reject: false,
    timeout: WITHIN_MS,
  })
  t.after(() => void terminal.kill('SIGTERM'))
  let seen = ''
  let ended = false
  void terminal.then(() => {
    ended = true
  })
  terminal.stdout.on('data', (text) => {
    seen += String(text)
  })
  const until = async (what: RegExp) => {
    for (const deadline = performance.now() + WITHIN_MS; !what.test(seen); await sleep(50)) {
      assert.ok(performance.now() < deadline && !ended, `no ${what}:\n${seen.slice(-LAST_CHARACTERS)}`)
    }
  }
  await until(/^logs: \S+/m)
  const runDir = join(ROOT, /^logs: (\S+)/m.exec(seen)![1]!)
  const exec = (...command: string[]) =>
    execa(process.execPath, [HARNESS, 'exec', '--run', runDir, 'vm1', '--', ...command], {
      reject: false,
      stdin: 'ignore',
    })

  await until(/plasm: fetch stage/)
  const fetching = await exec('cat', '/proc/cmdline')
  assert.equal(fetching.exitCode, 0, fetching.stderr)
  assert.match(fetching.stdout, / plasm\.test=look/)
  assert.doesNotMatch(fetching.stdout, /plasm\.stage=serve/, 'before kexec')

  await until(/plasm: ready generation=1/)
  const serving = await exec('sh', '-c', 'cat /proc/cmdline; plasm-agent status')
  assert.equal(serving.exitCode, 0, serving.stderr)
  assert.match(serving.stdout, /plasm\.stage=serve[\s\S]*\nready\n/)

  terminal.stdin.write('echo typed $((6*7))\r')
  await until(/typed 42/)
  terminal.stdin.write('\x1d')
  const { exitCode } = await terminal
  assert.equal(exitCode, 0)
  // It may have been left before the harness was done with proving.
  assert.match(seen, /vm1 (had become a provider|was not proven to be a provider yet)/)
  assert.equal((await exec('true')).exitCode, 255, 'it is stopped')
})
