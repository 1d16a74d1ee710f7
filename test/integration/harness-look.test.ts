import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { connectToRun } from '../../host-harness/control-client.ts'
import { openControl } from '../../host-harness/control-server.ts'
import type { ExecLimit, Executed } from '../../host-harness/guest-exec.ts'
import type { Machine } from '../../host-harness/machine.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { eventually, running, startHarness } from '../support/tiny-harness.ts'
import { TINY_KERNEL } from '../support/tiny-kernel.ts'

const CLI = fileURLToPath(new URL('../../host-harness/cli.ts', import.meta.url))
const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

const harness = (...args: string[]) =>
  execa(process.execPath, [CLI, ...args], { reject: false, stdin: 'ignore', timeout: 60_000 })

/** A run whose machine writes back what it reads on its console, up. */
async function echoingRun(t: TestContext) {
  const run = await startHarness(t, TINY_KERNEL.echoes)
  return { ...run, qemu: await running(run), args: ['--run', `${run.runDir}/`] }
}

test("console: a terminal's keys reach the machine, its words come back, and Ctrl-] leaves it up", {
  skip,
}, async (t) => {
  const { runDir, args } = await echoingRun(t)
  const command = [process.execPath, CLI, 'console', 'vm1', ...args].map((word) => `'${word}'`).join(' ')
  // script(1) gives it a terminal.
  const terminal = execa('script', ['-qec', command, '/dev/null'], { reject: false, timeout: 60_000 })
  let seen = ''
  terminal.stdout.on('data', (text) => {
    seen += text
  })
  await eventually('what the machine said before', async () => />\r?\n/.test(seen), 30)
  terminal.stdin.write('ping\x03pong')
  await eventually('its echo, Ctrl-C too', async () => seen.includes('ping\x03pong'))
  terminal.stdin.write('\x1d')
  const { exitCode } = await terminal
  assert.equal(exitCode, 0)
  assert.match(seen, /vm1 of run .*; Ctrl-\] leaves it/)
  const again = await connectToRun(runDir)
  again.socket.destroy()
})

test('console in a pipe prints lines, and ends when the machine is gone', { skip }, async (t) => {
  const { args, qemu } = await echoingRun(t)
  // A standard input that stays open, and says nothing.
  const piped = execa(process.execPath, [CLI, 'console', 'vm1', ...args], { reject: false, timeout: 60_000 })
  await once(piped.stdout, 'data')
  process.kill(qemu, 'SIGKILL')
  const { exitCode, stdout, stderr } = await piped
  assert.equal(exitCode, 0)
  assert.equal(stdout.trim().split('\n').at(-1), '>')
  assert.match(stderr, /vm1 is gone|harness/)
})

test('console without a terminal types what it is given, prints what comes of it, and ends', { skip }, async (t) => {
  const { runDir, args } = await echoingRun(t)
  const words = [CLI, 'console', 'vm1', ...args]
  const typed = await execa(process.execPath, words, { input: 'ping\npong', reject: false, timeout: 60_000 })
  assert.deepEqual([typed.exitCode, typed.stdout], [0, '>\nping\npong'])
  assert.match(typed.stderr, /standard input has ended, and vm1 stays up; to follow it/)
  const looked = await harness('console', 'vm1', ...args)
  assert.deepEqual([looked.exitCode, looked.stdout], [0, '>\nping\npong'], 'what it said last')
  const closed = await execa('sh', ['-c', '"$@" <&-', 'sh', process.execPath, ...words], { timeout: 60_000 })
  assert.equal(closed.stdout, looked.stdout)
  const headed = await execa('sh', ['-c', '"$@" </dev/null | head -n 0', 'sh', process.execPath, ...words])
  assert.doesNotMatch(headed.stderr, /Error|EPIPE/)
  const again = await connectToRun(runDir)
  again.socket.destroy()
})

test('exec says that nobody in the machine takes commands', { skip }, async (t) => {
  const { args } = await echoingRun(t)
  const { exitCode, stdout, stderr } = await harness('exec', 'vm1', '--timeout', '1', ...args, '--', 'true')
  assert.deepEqual([exitCode, stdout], [255, ''])
  assert.match(stderr, /vm1: nobody in it took commands within 1 s \[exec-no-guest\]\n {2}\S/)
})

test('exec that waits when the run ends says so, and not how its QEMU was ended', { skip }, async (t) => {
  const { runDir, args, outer } = await echoingRun(t)
  const waits = harness('exec', 'vm1', ...args, '--', 'sleep', '100')
  let said = ''
  waits.stderr.on('data', (text) => (said += String(text)))
  await eventually('it waits', async () => said.includes('waiting for vm1'))
  outer.kill('SIGTERM')
  const { exitCode, stderr } = await waits
  assert.equal(exitCode, 255)
  assert.match(stderr, new RegExp(`run ${basename(runDir)} ended, and its machines with it, .* \\[run-ended\\]`))
  assert.doesNotMatch(stderr, /QEMU|SIGKILL/)
})

test('exec says that it waits for a machine until that one takes the command, and not while it runs', async (t) => {
  const runDir = await mkdtemp(join(tmpdir(), 'plasm-run-'))
  t.after(() => rm(runDir, { recursive: true, force: true }))
  /** A machine whose guest takes a command after so long, ms, and runs it for as long. */
  const machine = (name: string, takesAfter: number, runsFor: number) => ({
    ...{ name, ended: () => undefined },
    async exec(_: unknown, { started }: ExecLimit = {}): Promise<Executed> {
      await sleep(takesAfter)
      started?.()
      await sleep(runsFor)
      return { exit: 3, stdout: Buffer.from('said\n'), stderr: Buffer.alloc(0) }
    },
  })
  const machines = [machine('vm1', 0, 3500), machine('vm2', 3500, 0)] as unknown as Machine[]
  const named = new Map(machines.map((each) => [each.name, each]))
  await using _ = await openControl(runDir, named, new AbortController().signal)
  const exec = (name: string) => harness('exec', name, '--run', `${runDir}/`, '--', 'true')
  const [atOnce, late] = await Promise.all([exec('vm1'), exec('vm2')])
  assert.deepEqual([atOnce.exitCode, atOnce.stdout, atOnce.stderr], [3, 'said', ''])
  const waited = `waiting for vm2 of run ${basename(runDir)}\nvm2 runs it`
  assert.deepEqual([late.exitCode, late.stdout, late.stderr], [3, 'said', waited])
})

test('exec of a shell without a script says how to give it one', async (t) => {
  const runDir = await mkdtemp(join(tmpdir(), 'plasm-run-'))
  t.after(() => rm(runDir, { recursive: true, force: true }))
  const nothing: Executed = { exit: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
  const machine = { name: 'vm1', ended: () => undefined, exec: async () => nothing } as unknown as Machine
  await using _ = await openControl(runDir, new Map([['vm1', machine]]), new AbortController().signal)
  const exec = (...command: string[]) => harness('exec', 'vm1', '--run', `${runDir}/`, '--', ...command)
  const { exitCode, stderr } = await exec('/bin/sh')
  assert.equal(exitCode, 0)
  assert.match(
    stderr,
    /^\/bin\/sh has no standard input here; give it a script: exec vm1 -- \/bin\/sh -c .*\n {2}a shell to type/,
  )
  assert.equal((await exec('sh', '-c', ':')).stderr, '')
})

test('a machine that is not there is named, with those that are', { skip }, async (t) => {
  const { args } = await echoingRun(t)
  for (const [command, exit] of [
    [['exec', 'vm7', ...args, '--', 'true'], 255],
    [['console', 'vm7', ...args], 1],
  ] as const) {
    const { exitCode, stderr } = await harness(...command)
    assert.equal(exitCode, exit)
    assert.match(stderr, /this run has no machine vm7; it has vm1 \[machine-unknown\]/)
  }
})

test('the control socket is for who started the run alone', { skip }, async (t) => {
  const { runDir } = await echoingRun(t)
  assert.equal((await stat(join(runDir, 'control'))).mode & 0o777, 0o700)
})

test('a line that is no request is answered with an error, and the run lives on', { skip }, async (t) => {
  const { runDir } = await echoingRun(t)
  for (const line of ['nonsense', '{"want":"exec","machine":"vm1"}', `{"want":"exec","machine":"vm1","command":[]}`]) {
    const { socket } = await connectToRun(runDir)
    socket.setEncoding('utf8')
    socket.end(`${line}\n`)
    const [said] = await once(socket, 'data')
    assert.equal(JSON.parse(said).error.code, 'control-invalid')
  }
})

test('no run: the newest one that is up is asked, and one that has ended is not', async (t) => {
  const runs = await mkdtemp(join(tmpdir(), 'plasm-no-runs-'))
  t.after(() => rm(runs, { recursive: true, force: true }))
  await assert.rejects(connectToRun(undefined, runs), { code: 'no-run', message: 'no run is up' })
  await assert.rejects(connectToRun('3f', runs), { code: 'no-run', message: 'no run 3f is up' })
  const { exitCode, stderr } = await harness('exec', 'vm1', '--run', `${runs}/`, '--', 'true')
  assert.equal(exitCode, 255)
  // Others of this checkout may be up.
  assert.match(stderr, /\[no-run\]\n {2}\S/)
})

test('a run that is not there: those that are up are named, newest first, and no others', async (t) => {
  const runs = await mkdtemp(join(tmpdir(), 'plasm-runs-'))
  t.after(() => rm(runs, { recursive: true, force: true }))
  await assert.rejects(connectToRun('3f', runs), { code: 'no-run', hint: /^start one: / })
  await using opened = new AsyncDisposableStack()
  for (const name of ['aa-1', 'bb-2', 'cc-3']) {
    await mkdir(join(runs, name))
    const control = await openControl(join(runs, name), new Map(), new AbortController().signal)
    if (name === 'bb-2') await control[Symbol.asyncDispose]()
    else opened.use(control)
    await sleep(20)
  }
  for (const run of ['3f', '/nowhere/3f']) {
    const hint = /^--run takes one of those that are up, or the beginning of it: cc-3, aa-1$/
    await assert.rejects(connectToRun(run, runs), { code: 'no-run', message: `no run ${run} is up`, hint })
  }
})
