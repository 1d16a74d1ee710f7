import assert from 'node:assert/strict'
import { once } from 'node:events'
import { truncate } from 'node:fs/promises'
import { type ClientRequest, get, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Provider } from '../../service/provider.ts'
import { MAX_TRANSFERS } from '../../service/transfers.ts'
import { ask, errorOf, makeRoot, putSet, serve } from '../support/plasmd.ts'
import { startPlasmd } from '../support/plasmd-process.ts'

/** More than the socket buffers of both ends hold, so that a client who does not read holds its transfer. */
const BIG = 64 * 1024 * 1024
const PATH = '/stable/x86_64/rootfs'

async function makeSet(t: TestContext): Promise<string> {
  const root = await makeRoot(t)
  const dir = join(root, 'stable', 'x86_64')
  await putSet(dir, { kernel: 3000, initramfs: 10, rootfs: 0 })
  await truncate(join(dir, 'rootfs'), BIG)
  return root
}

/** Begins a transfer and reads nothing of it. */
async function hold(
  t: TestContext,
  { port }: Pick<Provider, 'port'>,
): Promise<{ req: ClientRequest; res: IncomingMessage }> {
  const req = get({ host: '127.0.0.1', port, path: PATH, agent: false, headers: { range: 'bytes=0-' } })
  t.after(() => req.destroy())
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  res.on('error', () => {})
  return { req, res }
}

/** Unlike events.once, does not take a broken transfer for a broken test. */
const closed = (res: IncomingMessage) =>
  new Promise<void>((done) => {
    if (res.closed) done()
    else res.once('close', () => done())
  })

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await holds()) return
    await sleep(20)
  }
  assert.fail(`not within 4 s: ${what}`)
}

const running = async (provider: Pick<Provider, 'port'>) =>
  JSON.parse((await ask(provider, '/status')).body.toString()).metrics.transfers_running as number

test('beyond the cap of transfers: 503 with Retry-After, documents and HEAD still answered, and a place is given back', async (t) => {
  const provider = await serve(t, await makeSet(t))
  const held = await Promise.all(Array.from({ length: MAX_TRANSFERS }, () => hold(t, provider)))
  const busy = await ask(provider, '/stable/x86_64/kernel')
  assert.deepEqual([busy.status, errorOf(busy)], [503, 'busy'])
  assert.match(busy.headers['retry-after']!, /^\d+$/)
  assert.equal((await ask(provider, '/health')).status, 200)
  assert.equal((await ask(provider, '/manifest.json')).status, 200)
  assert.equal((await ask(provider, '/stable/x86_64/kernel', { method: 'HEAD' })).status, 200)
  held[0]!.req.destroy()
  await until(
    'a hang-up gives its place back',
    async () => (await ask(provider, '/stable/x86_64/kernel')).status === 200,
  )
})

test('clients that hang up in the middle leave nothing behind', async (t) => {
  const provider = await serve(t, await makeSet(t))
  for (let round = 0; round < 3; round += 1) {
    const held = await Promise.all(Array.from({ length: MAX_TRANSFERS }, () => hold(t, provider)))
    for (const { req } of held) req.destroy()
    await until('all transfers are over', async () => (await running(provider)) === 0)
  }
  assert.equal((await ask(provider, PATH, { headers: { range: 'bytes=0-' } })).body.length, BIG)
})

test('garbage, half requests and bodies on GET do not hurt others', async (t) => {
  const provider = await serve(t, await makeSet(t))
  const raw = (text: string) => {
    const socket = connect(provider.port, '127.0.0.1').on('error', () => {})
    t.after(() => socket.destroy())
    socket.write(text)
    return socket
  }
  raw('\x16\x03\x01garbage\r\n\r\n')
  raw('GET /stable/x86_64/kernel HTTP/1.1\r\nHost: a\r\n')
  raw(`GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)
  raw('GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=\r\nContent-Length: 5\r\n\r\nhello')
  raw('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\nx')
  const sockets = Array.from({ length: 100 }, () => raw(''))
  assert.equal((await ask(provider, '/stable/x86_64/kernel')).status, 200)
  for (const socket of sockets) socket.destroy()
})

test('a file cut short during its transfer ends the connection: the client never takes it for whole', async (t) => {
  const root = await makeSet(t)
  const provider = await serve(t, root)
  const { res } = await hold(t, provider)
  await truncate(join(root, 'stable', 'x86_64', 'rootfs'), 1000)
  let bytes = 0
  res.on('data', (piece: Buffer) => {
    bytes += piece.length
  })
  await closed(res)
  assert.equal(res.complete, false)
  assert.ok(bytes < BIG)
  assert.equal((await ask(provider, '/health')).status, 200)
})

test('stop waits for running transfers, takes no new ones, and closes kept-alive connections', async (t) => {
  const provider = await serve(t, await makeSet(t))
  const { res } = await hold(t, provider)
  const stopped = provider.stop()
  await assert.rejects(ask(provider, '/health'), { code: 'ECONNREFUSED' })
  let bytes = 0
  res.on('data', (piece: Buffer) => {
    bytes += piece.length
  })
  await Promise.all([stopped, closed(res)])
  assert.equal(bytes, BIG)
})

test('stop cuts a transfer that outlasts its time', async (t) => {
  const provider = await serve(t, await makeSet(t))
  const { res } = await hold(t, provider)
  const startedAt = performance.now()
  await provider.stop(200)
  assert.ok(performance.now() - startedAt < 2000)
  res.resume()
  await closed(res)
  assert.equal(res.complete, false)
})

test('SIGTERM with a transfer: it is finished, then plasmd ends with 0; a second signal does not wait', async (t) => {
  const root = await makeSet(t)
  const patient = await startPlasmd(t, ['-a', root, '--no-mdns'])
  const { res } = await hold(t, patient)
  patient.child.kill('SIGTERM')
  await until('it is stopping', () => patient.log().some(({ msg }) => msg === 'stopping'))
  let bytes = 0
  res.on('data', (piece: Buffer) => {
    bytes += piece.length
  })
  assert.deepEqual(await once(patient.child, 'exit'), [0, null])
  await closed(res)
  assert.equal(bytes, BIG)

  const hurried = await startPlasmd(t, ['-a', root, '--no-mdns'])
  await hold(t, hurried)
  hurried.child.kill('SIGTERM')
  await until('it is stopping', () => hurried.log().some(({ msg }) => msg === 'stopping'))
  hurried.child.kill('SIGTERM')
  assert.deepEqual(await once(hurried.child, 'exit'), [0, null])
})

test('a request that is pipelined behind another is answered too', async (t) => {
  const provider = await serve(t, await makeSet(t))
  const socket = connect(provider.port, '127.0.0.1')
  socket.write(
    'GET /stable/x86_64/kernel HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  )
  let text = ''
  for await (const piece of socket) text += (piece as Buffer).toString('latin1')
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
})

test('a slow client that goes on reading is served to the end', async (t) => {
  const provider = await serve(t, await makeSet(t))
  const req = request({
    host: '127.0.0.1',
    port: provider.port,
    path: PATH,
    headers: { range: 'bytes=0-8388607' },
  }).end()
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  let bytes = 0
  for await (const piece of res) {
    bytes += (piece as Buffer).length
    await sleep(2)
  }
  assert.equal(bytes, 8_388_608)
})

test('SIGTERM as soon as it says that it serves ends it in order', async (t) => {
  const root = await makeSet(t)
  const { child } = await startPlasmd(t, ['-a', root, '--no-mdns'])
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})
