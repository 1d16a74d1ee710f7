import assert from 'node:assert/strict'
import { type Duplex, duplexPair } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { openGuestExec } from '../../../host-harness/guest-exec.ts'

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
  assert.equal(asked[1]!.script, `'plasm-agent' 'it'\\''s' 'a b'`)
  answer(asked[1]!.id, 0)
  assert.deepEqual(await second, { exit: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) })
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

test('when QEMU has ended nobody waits', async () => {
  const { exec, guest } = pair()
  const ran = exec('true')
  guest.end()
  await assert.rejects(ran, { code: 'exec-lost', message: /QEMU has ended/ })
  await assert.rejects(exec('true'), { code: 'exec-lost' })
})
