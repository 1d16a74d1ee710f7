import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { namespacesHere } from '../support/in-namespaces.ts'
import { openTerminal } from '../support/terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HARNESS = join(ROOT, 'host-harness/cli.ts')
/** With room for building images on a fresh clone. */
const WITHIN_MS = 10 * 60_000

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

test('boot: the terminal is the console from the firmware on, and exec goes in before and after kexec', {
  skip,
}, async (t) => {
  const terminal = openTerminal([process.execPath, HARNESS, 'boot', '--parameters', 'plasm.test=look'], WITHIN_MS)
  t.after(terminal.stop)
  const { until } = terminal
  await until(/^logs: \S+/m)
  const runDir = join(ROOT, /^logs: (\S+)/m.exec(terminal.seen())![1]!)
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

  terminal.type('echo typed $((6*7))\r')
  await until(/typed 42/)
  terminal.type('\x1d')
  assert.equal(await terminal.end(), 0)
  // It may have been left before the harness was done with proving.
  assert.match(terminal.seen(), /vm1 (had become a provider|was not proven to be a provider yet)/)
  assert.equal((await exec('true')).exitCode, 255, 'it is stopped')
})
