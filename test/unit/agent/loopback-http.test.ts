import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { askLoopback } from '../../../agent/loopback-http.ts'

/** A server that says what it is told to, whatever it is asked. */
async function server(t: TestContext, say: (socket: Socket) => unknown): Promise<string> {
  const sockets = new Set<Socket>()
  const listening = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('data', () => say(socket))
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    listening.close()
  })
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/file`
}

async function get(url: string, method: 'GET' | 'HEAD' = 'GET', silence = 500) {
  const parts: Buffer[] = []
  const answer = await askLoopback({ url, method, silence, onBody: (data) => parts.push(Buffer.from(data)) })
  return { ...answer, body: Buffer.concat(parts).toString('latin1') }
}

const HEAD = 'HTTP/1.1 206 Partial Content\r\nContent-Type: x\r\ncontent-length: 5\r\n\r\n'

test('head and body are told apart wherever the reads fall', async (t) => {
  for (const cut of [1, 20, HEAD.length - 2, HEAD.length, HEAD.length + 2]) {
    const url = await server(t, async (socket) => {
      socket.setNoDelay(true).write(`${HEAD}hello`.slice(0, cut))
      await sleep(20)
      socket.write(`${HEAD}hello`.slice(cut))
    })
    assert.deepEqual(await get(url), { status: 206, length: 5, body: 'hello' }, `cut at ${cut}`)
  }
})

test('HEAD ends with the head', async (t) => {
  const url = await server(t, (socket) => socket.write(HEAD))
  assert.deepEqual(await get(url, 'HEAD'), { status: 206, length: 5, body: '' })
})

test('a body without a length ends with the connection', async (t) => {
  const url = await server(t, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall'))
  assert.deepEqual(await get(url), { status: 200, length: undefined, body: 'all' })
})

const BAD: Readonly<Record<string, readonly [(socket: Socket) => unknown, RegExp]>> = {
  'a short body': [(socket) => socket.end(`${HEAD}hel`), /closed after 3 of 5 bytes/],
  'a long body': [(socket) => socket.write(`${HEAD}hello and more`), /more than its Content-Length/],
  silence: [() => {}, /silent for 100 ms/],
  'silence in the middle': [(socket) => socket.write(`${HEAD}he`), /silent for 100 ms/],
  'a head without an end': [
    (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(5000)}`),
    /without an end/,
  ],
  'something else than HTTP': [(socket) => socket.end('SSH-2.0-x\r\n\r\n'), /does not answer in HTTP/],
  'a chunked body': [
    (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    /does not answer in HTTP/,
  ],
  'no answer': [(socket) => socket.end(), /closed after 0 of unknown bytes/],
}

for (const [name, [say, message]] of Object.entries(BAD)) {
  test(`${name} is an error`, async (t) => {
    await assert.rejects(get(await server(t, say), 'GET', 100), { message })
  })
}
