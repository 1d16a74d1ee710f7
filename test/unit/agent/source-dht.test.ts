import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Source } from '../../../agent/source.ts'
import { DHT_AT_ONCE, dhtTiming, withDht } from '../../../agent/source-dht.ts'

const CONFIG = { channel: 'stable', arch: 'x86_64', bootstrap: [] } as const
const ANY_ADDRESS = () => new Set(['192.0.2.9'])

/** A port where somebody listens and counts who comes. */
async function listener(t: TestContext) {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { server, port: (server.address() as { port: number }).port }
}

test('the DHT is joined by a neighbour on the link whose advertisement tells of its node', async (t) => {
  const { server, port } = await listener(t)
  const stop = new AbortController()
  const link: Source = async (consider) =>
    consider({ url: 'http://127.0.0.1:8080', source: 'mdns', name: null, generation: null, dhtPort: port })
  const told: string[] = []
  const sources = withDht(link, CONFIG, ANY_ADDRESS, DHT_AT_ONCE)
  const looking = sources.map((look) => look(({ url }) => told.push(url), stop.signal))
  await once(server, 'connection')
  stop.abort()
  await Promise.all(looking)
  assert.deepEqual(told, ['http://127.0.0.1:8080'])
})

test('libp2p is not loaded while neighbours have their head start, and nobody waits for it once discovery ends', async () => {
  const stop = new AbortController()
  const [, look] = withDht(async () => {}, CONFIG, ANY_ADDRESS, { ...dhtTiming(), headStartMs: 60_000 })
  const looking = look!(() => {}, stop.signal)
  stop.abort()
  const startedAt = performance.now()
  await looking
  assert.ok(performance.now() - startedAt < 100)
})

test('where a neighbour has answered the DHT is left alone for longer, but not where one was rejected', async (t) => {
  const { server, port } = await listener(t)
  let joined = 0
  server.on('connection', () => (joined += 1))
  const bootstrap = [`127.0.0.1:${port}`]
  const look = async (reason: object) => {
    const link: Source = async (consider) =>
      consider({ url: 'http://192.0.2.1:8080', source: 'mdns', name: null, generation: null, ...reason })
    const timing = { ...dhtTiming(), headStartMs: 0, answeredMs: 60_000 }
    const sources = withDht(link, { ...CONFIG, bootstrap }, ANY_ADDRESS, timing)
    await Promise.all(sources.map((source) => source(() => {}, AbortSignal.timeout(1_500))))
    return joined > 0
  }
  assert.equal(await look({}), false)
  assert.equal(await look({ reason: 'no address' }), true)
})
