import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { type Duplex, duplexPair } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { type Executed, openGuestExec } from '../../../host-harness/guest-exec.ts'

const base64 = (text: string | Buffer) => (text.length === 0 ? '-' : Buffer.from(text).toString('base64'))

/** A harness's end, and the other one, spoken to by hand as init/host-shell speaks. */
function pair() {
  const [host, guest] = duplexPair()
  const asked: Array<{ id: number; seconds: number; script: string }> = []
  guest.setEncoding('latin1')
  guest.on('data', (text: string) => {
    for (const line of text.trimEnd().split('\n')) {
      const [word, id, seconds, script] = line.split(' ')
      assert.equal(word, 'run')
      asked.push({ id: Number(id), seconds: Number(seconds), script: Buffer.from(script!, 'base64').toString() })
    }
  })
  const answer = (id: number, exit: number, stdout: string | Buffer = '', stderr = '') =>
    guest.write(`${id} ${exit} ${base64(stdout)} ${base64(stderr)}\n`)
  /** Starts, and answers the request that asks whether something got lost. */
  const start = async () => {
    guest.write('\nup\n')
    await settle()
    const mark = asked.pop()!
    assert.equal(mark.script, ':')
    return () => answer(mark.id, 0)
  }
  return { ...openGuestExec(host, 'vm1'), guest: guest as Duplex, asked, answer, start }
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn()
}

test('a command waits until the guest is up, and one is out at a time', async () => {
  const { exec, asked, answer, start } = pair()
  const first = exec('uname; exit 3', { timeoutMs: 10_000 })
  const second = exec(['plasm-agent', "it's", 'a b'])
  await settle()
  assert.equal(asked.length, 0)
  const marked = await start()
  assert.equal(asked.length, 0)
  marked()
  await settle()
  assert.deepEqual(
    asked.map(({ script }) => script),
    ['uname; exit 3'],
  )
  assert.ok(asked[0]!.seconds > 9 && asked[0]!.seconds <= 11)
  answer(asked[0]!.id, 3, 'Linux\n', 'oh')
  assert.deepEqual(await first, { exit: 3, stdout: Buffer.from('Linux\n'), stderr: Buffer.from('oh') })
  await settle()
  assert.equal(asked[1]!.script.split('\n').at(-1), `'plasm-agent' 'it'\\''s' 'a b'`)
  answer(asked[1]!.id, 0)
  assert.deepEqual(await second, { exit: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) })
})

test('who waits is told when the guest is given the command, each its own', async () => {
  const { exec, asked, answer, start } = pair()
  const started: string[] = []
  const ran = ['one', 'two'].map((word) => exec(word, { started: () => started.push(word) }))
  const marked = await start()
  assert.deepEqual(started, [])
  marked()
  await settle()
  assert.deepEqual(started, ['one'])
  answer(asked[0]!.id, 0)
  await settle()
  assert.deepEqual(started, ['one', 'two'])
  answer(asked[1]!.id, 0)
  await Promise.all(ran)
})

test('an answer may be long, come in pieces, and hold any byte', async () => {
  const { exec, asked, guest, start } = pair()
  const bytes = Buffer.from(Uint8Array.from({ length: 1_500_000 }, (_, index) => index * 7))
  const ran = exec('cat /dev/vda')
  ;(await start())()
  await settle()
  const line = `${asked[0]!.id} 0 ${base64(bytes)} -\n`
  for (let at = 0; at < line.length; at += 30_000) guest.write(line.slice(at, at + 30_000))
  assert.ok((await ran).stdout.equals(bytes))
})

test('what a kexec cut off is lost, and what waited is asked afterwards', async () => {
  const { exec, asked, answer, guest, start } = pair()
  const cut = exec('sleep 100')
  const waits = exec('true')
  ;(await start())()
  await settle()
  guest.write(`${asked[0]!.id} 0 aGFs`)
  const marked = await start()
  marked()
  await assert.rejects(cut, { code: 'exec-lost', facts: { machine: 'vm1', step: 'exec' } })
  await settle()
  answer(asked[1]!.id, 0)
  assert.equal((await waits).exit, 0)
})

test('a request that lay in the port while the guest started anew is not lost', async () => {
  const { exec, asked, answer, start } = pair()
  const ran = exec('true')
  ;(await start())()
  await settle()
  const marked = await start()
  answer(asked[0]!.id, 5)
  marked()
  assert.equal((await ran).exit, 5)
})

test('each wait ends, and says what it waited for', async () => {
  const { exec, asked, answer, start } = pair()
  await assert.rejects(exec('true', { timeoutMs: 20 }), { code: 'exec-no-guest' })
  ;(await start())()
  const slow = exec('sleep 100', { timeoutMs: 30 })
  await assert.rejects(exec('true', { timeoutMs: 20 }), { code: 'exec-timeout', message: /another command/ })
  await assert.rejects(slow, { code: 'exec-timeout', message: /did not end/ })
  const next = exec('true')
  await settle()
  assert.equal(asked.length, 1, 'the guest is still busy')
  answer(asked[0]!.id, 143)
  await settle()
  answer(asked[1]!.id, 0)
  assert.equal((await next).exit, 0)
})

test('what a command had said that did not end in time is told, and then the error', async () => {
  const { exec, asked, answer, start } = pair()
  ;(await start())()
  const said: Executed[] = []
  const follows = exec('tail -f log', { timeoutMs: 30, lastWords: (ended) => said.push(ended) })
  const waits = exec('true')
  await sleep(60)
  assert.equal(asked.length, 1, 'its last words are waited for')
  answer(asked[0]!.id, 143, 'line\n', 'oh')
  await assert.rejects(follows, { code: 'exec-timeout', hint: /-f.* plasm-harness console vm1/ })
  assert.deepEqual(said, [{ exit: 143, stdout: Buffer.from('line\n'), stderr: Buffer.from('oh') }])
  await settle()
  answer(asked[1]!.id, 0)
  assert.equal((await waits).exit, 0)
})

for (const shell of [['sh'], ['busybox', 'sh']]) {
  const missing = spawnSync(shell[0]!, [...shell.slice(1), '-c', ':']).error
  const skip = missing ? `no ${shell[0]} here` : false
  test(`a program of its own, a builtin and what is missing run in ${shell.join(' ')} as they were asked`, {
    skip,
  }, async () => {
    const { exec, asked, answer, start } = pair()
    ;(await start())()
    for (const [words, [exit, stdout]] of [
      [
        ['env', 'printf', '%s|', "it's", 'a b', ''],
        [0, "it's|a b||"],
      ],
      // Its parent is this process, and no shell.
      [
        ['/bin/sh', '-c', 'echo $PPID; exit 7'],
        [7, `${process.pid}\n`],
      ],
      [
        ['type', 'cd'],
        [0, 'cd is a shell builtin\n'],
      ],
      [['/nowhere/at/all'], [127, '']],
      [['/'], [126, '']],
    ] as const) {
      const ran = exec(words)
      await settle()
      const { id, script } = asked.pop()!
      const { status, stdout: said } = spawnSync(shell[0]!, [...shell.slice(1), '-c', script], { encoding: 'utf8' })
      assert.deepEqual([status, said], [exit, stdout], words.join(' '))
      answer(id, 0)
      await ran
    }
  })
}

test('when QEMU has ended nobody waits', async () => {
  const { exec, guest } = pair()
  const ran = exec('true')
  guest.end()
  await assert.rejects(ran, { code: 'exec-lost', message: /QEMU has ended/ })
  await assert.rejects(exec('true'), { code: 'exec-lost' })
})
