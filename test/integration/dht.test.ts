import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { DhtLook, Told } from '../support/dht-look-program.ts'
import type { DhtProvider } from '../support/dht-providers-program.ts'

const run = promisify(execFile)
const support = (name: string) => fileURLToPath(new URL(`../support/${name}`, import.meta.url))
const quoted = (text: string) => `'${text}'`
const node = (program: string, ...args: string[]) => [process.execPath, support(program), ...args].join(' ')

interface Looked {
  readonly told: readonly Told[]
  readonly milliseconds: number
}

/** Runs a program on one machine, with providers on another one that say nothing by mDNS. @returns its last line */
async function beside(providers: readonly DhtProvider[], command: string) {
  const peer = node('dht-providers-program.ts', quoted(JSON.stringify(providers)))
  const { stdout } = await run(support('two-networks.sh'), [peer, command], { timeout: 50_000 })
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

const look = (providers: readonly DhtProvider[], what: Omit<DhtLook, 'withinMs'>): Promise<Looked> =>
  beside(providers, node('dht-look-program.ts', quoted(JSON.stringify({ withinMs: 25_000, ...what }))))

const ORIGIN = { machine: 'plasm-origin', generation: 0, sequence: 7, port: 8080, dhtPort: 4001, bootstrap: [] }
const PROVIDERS: readonly DhtProvider[] = [
  ORIGIN,
  { machine: 'plasm-aaaaaa', generation: 1, sequence: 7, port: 8081, dhtPort: 4002, bootstrap: ['10.77.0.1:4001'] },
  {
    machine: 'plasm-bbbbbb',
    generation: 2,
    sequence: 8,
    port: 8082,
    dhtPort: 4003,
    bootstrap: ['/ip4/10.77.0.1/tcp/4001'],
  },
]
const URLS = [8080, 8081, 8082].map((port) => `http://10.77.0.1:${port}`)
const candidatesIn = (told: readonly Told[]) => told.filter((one) => !('reason' in one))

test('of three providers on private addresses a client that knows one DHT node finds all, with what they say', async (t) => {
  const { told, milliseconds } = await look(PROVIDERS, { bootstrap: ['/ip4/10.77.0.1/tcp/4001'], candidates: 3 })
  t.diagnostic(`${Math.round(milliseconds)} ms`)
  const asked = candidatesIn(told).filter(({ peerId }) => peerId !== undefined)
  assert.deepEqual([...new Set(asked.map(({ url }) => url))].sort(), URLS, JSON.stringify(told))
  const { source, name, generation, sequence, version, load, set, peerId } = asked.find(({ url }) => url === URLS[2])!
  assert.deepEqual(
    { source, name, generation, sequence, version, load },
    { source: 'dht', name: 'plasm-bbbbbb', generation: 2, sequence: 8, version: '1.2.3', load: 0 },
  )
  assert.match(set!, /^[0-9a-f]{12}$/)
  assert.match(peerId!, /^12D3KooW/)
})

test('a client whose bootstrap node comes up only later finds it then', async () => {
  const { told } = await look([{ ...ORIGIN, delayMs: 3_000 }], { bootstrap: ['10.77.0.1:4001'], candidates: 1 })
  const [first] = candidatesIn(told)
  assert.equal(first?.url, URLS[0])
})

test('discovery takes what the DHT tells where mDNS is silent', async () => {
  const { found } = await beside([ORIGIN], node('discover-program.ts', '15000', '10.77.0.1:4001'))
  assert.deepEqual(
    found.map(({ url, source, name }: Told) => [url, source, name]),
    [[URLS[0], 'dht', 'plasm-origin']],
  )
})
