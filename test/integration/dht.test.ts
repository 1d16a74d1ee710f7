import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Candidate } from '../../agent/candidate.ts'
import { besideProviders, lookInDht, node, ORIGIN } from '../support/beside-providers.ts'
import type { SeenInDht } from '../support/dht-agent-program.ts'
import type { Told } from '../support/dht-look-program.ts'
import type { DhtProvider } from '../support/dht-providers-program.ts'

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
  const { told, milliseconds } = await lookInDht(PROVIDERS, { bootstrap: ['/ip4/10.77.0.1/tcp/4001'], candidates: 3 })
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
  const { told } = await lookInDht([{ ...ORIGIN, delayMs: 3_000 }], { bootstrap: ['10.77.0.1:4001'], candidates: 1 })
  const [first] = candidatesIn(told)
  assert.equal(first?.url, URLS[0])
})

test('discovery takes what the DHT tells where mDNS is silent', async () => {
  const client = node('discover-program.ts', '15000', '10.77.0.1:4001')
  const { found } = (await besideProviders([ORIGIN], client)) as { found: readonly Candidate[] }
  assert.deepEqual(
    found.map(({ url, source, name }) => [url, source, name]),
    [[URLS[0], 'dht', 'plasm-origin']],
  )
})

test('where nobody is found the reason says whether the DHT could be asked', async () => {
  const why = async (providers: readonly DhtProvider[], bootstrap: string) => {
    const client = `env DHT_MS=4000 ${node('discover-program.ts', '500', bootstrap)}`
    const { error, message } = (await besideProviders(providers, client)) as { error: string; message: string }
    assert.equal(error, 'no-provider')
    return message.replace(/^.*; /, '')
  }
  const other = { ...ORIGIN, channel: 'testing' }
  assert.equal(await why([other], '10.77.0.1:4002'), 'no node of the DHT answers at 10.77.0.1:4002')
  assert.equal(await why([other], '10.77.0.1:4001'), 'the DHT names none')
})

test('who answers first ends the search, but not where it was no good: then those count whom the DHT names', async () => {
  const look = async (environment: string) => {
    const client = `env ${environment} ${node('discover-program.ts', '15000', '10.77.0.1:4001')}`
    const looked = (await besideProviders(PROVIDERS, client)) as { found: readonly Candidate[]; milliseconds: number }
    return { ...looked, found: looked.found.map(({ url, source }) => `${source} ${url}`).sort() }
  }
  const named = `PROVIDER=${URLS[0]}`
  const first = await look(named)
  // The DHT may name others while it settles.
  assert.ok(first.found.includes(`static ${URLS[0]}`), `${first.found}`)
  assert.ok(first.milliseconds < 2_500, `${first.milliseconds} ms`)
  const { found: beyond } = await look(`${named} KNOWN=${URLS[0]}`)
  assert.ok(beyond.includes(`static ${URLS[0]}`), `${beyond}`)
  assert.ok(
    beyond.some((one) => one === `dht ${URLS[1]}` || one === `dht ${URLS[2]}`),
    `${beyond}`,
  )
})

test('a machine that is ready is found in the DHT, by its own peer id, until its agent ends', async () => {
  const program = [process.execPath, fileURLToPath(new URL('../support/dht-agent-program.ts', import.meta.url))].join(
    ' ',
  )
  const onLink = fileURLToPath(new URL('../support/on-link.sh', import.meta.url))
  const { stdout } = await promisify(execFile)(onLink, [program], { timeout: 60_000 })
  const { document, peerId, statusPeerId, ended, after } = JSON.parse(stdout.trim().split('\n').at(-1)!) as SeenInDht
  assert.equal(peerId, statusPeerId)
  assert.equal(document.peerId, peerId)
  assert.match(document.urls[0]!, /^http:\/\/10\.78\.0\.1:\d+$/)
  assert.deepEqual([document.channel, document.machine, document.load], ['stable', 'plasm', 0])
  assert.ok(document.sequence! > 0 && document.generation! > 0, JSON.stringify(document))
  assert.equal(ended, 0)
  assert.notEqual(after, 'answers')
})
