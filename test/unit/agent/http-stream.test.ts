import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { streamHttp } from '../../../agent/http-stream.ts'

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
  const patience = { connectMs: silence, headersMs: silence, stallMs: silence }
  const onBody = (data: Buffer) => void parts.push(Buffer.from(data))
  const { status, length } = await streamHttp({ url, method, patience, onBody })
  return { status, length, body: Buffer.concat(parts).toString('latin1') }
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
  silence: [() => {}, /does not answer within 0.1 s/],
  'silence in the middle': [(socket) => socket.write(`${HEAD}he`), /sends nothing for 0.1 s/],
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

test('names of headers are the same in any case, and what comes twice is joined', async (t) => {
  const url = await server(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nX-One: a\r\nx-one:  b \r\nContent-Length: 0\r\n\r\n'),
  )
  const patience = { connectMs: 500, headersMs: 500, stallMs: 500 }
  const { headers } = await streamHttp({ url, method: 'GET', patience })
  assert.equal(headers.get('x-one'), 'a, b')
})

for (const callback of ['onHead', 'onBody'] as const) {
  test(`what ${callback} throws ends the request as it is`, async (t) => {
    const url = await server(t, (socket) => socket.write(`${HEAD}hel`))
    const own = new Error('enough')
    const patience = { connectMs: 500, headersMs: 500, stallMs: 500 }
    const refuse = () => {
      throw own
    }
    const failure = await streamHttp({ url, method: 'GET', patience, [callback]: refuse }).catch((thrown) => thrown)
    assert.equal(failure, own)
  })
}

test('a body that comes by the byte is given up, and one that keeps the pace is not', async (t) => {
  const long = 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n'
  const every20ms = (piece: string) => (socket: Socket) => {
    socket.write(long)
    const timer = setInterval(() => socket.write(piece), 20)
    socket.once('close', () => clearInterval(timer))
  }
  const patience = { connectMs: 500, headersMs: 500, stallMs: 500, pace: { ms: 200, bytes: 100 } }
  const ask = async (piece: string) => {
    let bytes = 0
    const onBody = (data: Buffer) => {
      bytes += data.length
    }
    await streamHttp({ url: await server(t, every20ms(piece)), method: 'GET', patience, onBody })
    return bytes
  }
  await assert.rejects(ask('x'), /sends less than 100 bytes in 0.2 s/)
  assert.equal(await ask('x'.repeat(50)), 1000)
})
