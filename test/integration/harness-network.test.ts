import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { Discovery, NetworkKind } from '../../host-harness/topology.ts'
import { namespacesHere } from '../support/in-namespaces.ts'

const PROGRAM = fileURLToPath(new URL('../support/harness-network-program.ts', import.meta.url))
const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

async function runProgram(mode: 'pairs' | 'taps', network: NetworkKind, discovery: Discovery) {
  assert.ok('args' in here)
  const directory = await mkdtemp(join(tmpdir(), 'harness-network-'))
  try {
    const command = [...here.args, process.execPath, PROGRAM, mode, network, discovery, directory]
    const { stdout } = await execa('unshare', command, { timeout: 60_000, stdin: 'ignore' })
    return JSON.parse(stdout.trim().split('\n').at(-1)!)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

interface Counted {
  readonly pairs: ReadonlyArray<{ readonly provider: string; readonly bytes: number }>
}

const bytesFrom = ({ pairs }: Counted) => Object.fromEntries(pairs.map(({ provider, bytes }) => [provider, bytes]))

/** What vm2 fetched of vm1's three million bytes, and nothing of what the harness did. */
function assertCounted(counted: Counted, fromOrigin: readonly [least: number, most: number]): void {
  const { vm1, origin, rogue } = bytesFrom(counted) as Record<string, number>
  assert.ok(vm1! >= 3_000_000 && vm1! < 3_300_000, `${vm1} bytes from vm1`)
  assert.ok(origin! >= fromOrigin[0] && origin! <= fromOrigin[1], `${origin} bytes from the origin`)
  assert.equal(rogue, 0)
}

const ASKED: readonly [number, number] = [1000, 5000]
const NOTHING: readonly [number, number] = [0, 0]
const EVERYTHING = { vm2FromVm1: 3_000_000, vm2FromOrigin: 1000, vm1FromOrigin: 1000 }

test('lan: one bridge, on which everybody hears everybody and each byte is somebody’s', { skip }, async () => {
  const { lease, fetched, heard, reporter, counted, dht, afterwards, backwards } = await runProgram(
    'pairs',
    'lan',
    'mdns',
  )
  assert.deepEqual(lease, { address: '192.168.77.12/24', router: '192.168.77.1' }, 'the lease that belongs to the MAC')
  assert.deepEqual(fetched, EVERYTHING)
  assert.deepEqual(heard, { origin: ['alone', 'multicast'], vm2: ['alone', 'multicast'] })
  assert.equal(reporter, '192.168.77.12')
  assertCounted(counted, ASKED)
  assert.equal(counted.strayBytes, 0)
  assert.equal(dht.network.dhtBytes, 0)
  assert.ok(dht.strayBytes > 2000, 'where no DHT is in use its port does not slip by')
  assert.ok(afterwards.strayBytes > dht.strayBytes + 1000, 'nor does another port')
  assert.deepEqual(bytesFrom(afterwards), bytesFrom(counted))
  assert.deepEqual([bytesFrom(backwards).vm2, backwards.strayBytes], [0, 0], 'acknowledgements count for nobody')
  const { multicastHeard, multicastCrossed, mdnsCrossed, mdnsDropped, originBytes, originDropped } = counted.network
  assert.ok(multicastHeard >= 1 && multicastCrossed >= 3, 'one copy for each of the others')
  assert.ok(mdnsCrossed >= 5, `${mdnsCrossed}: three copies, and what went to each alone`)
  assert.deepEqual([mdnsDropped, originDropped], [0, 0])
  assert.ok(originBytes > 1000)
})

test('dht: mDNS is dropped on the bridge, and the port of the DHT is counted apart', { skip }, async () => {
  const { fetched, heard, counted, dht, afterwards } = await runProgram('pairs', 'lan', 'dht')
  assert.deepEqual(fetched, EVERYTHING)
  assert.deepEqual(heard, { origin: [], vm2: [] })
  assertCounted(counted, ASKED)
  assert.ok(dht.network.dhtBytes > 2000 && dht.network.dhtBytes < 5000, `${dht.network.dhtBytes} bytes`)
  assert.equal(dht.strayBytes, 0)
  assert.ok(afterwards.strayBytes > 1000)
  const { mdnsCrossed, mdnsDropped } = counted.network
  assert.equal(mdnsCrossed, 0)
  assert.ok(mdnsDropped >= 5, `${mdnsDropped} dropped`)
})

test('routed: what is sent to one passes between segments, what is sent to all does not', { skip }, async () => {
  const { lease, fetched, heard, reporter, counted, dht, backwards } = await runProgram('pairs', 'routed', 'auto')
  assert.deepEqual(lease, { address: '192.168.102.10/24', router: '192.168.102.1' })
  assert.deepEqual(fetched, EVERYTHING)
  assert.deepEqual(heard, { origin: ['alone'], vm2: ['alone'] })
  assert.equal(reporter, '192.168.102.10', 'the address of the harness is the same for every segment')
  assertCounted(counted, ASKED)
  assert.equal(counted.strayBytes, 0)
  assert.ok(dht.network.dhtBytes > 2000)
  assert.deepEqual([bytesFrom(backwards).vm2, backwards.strayBytes], [0, 0])
  const { multicastHeard, multicastCrossed } = counted.network
  assert.ok(multicastHeard >= 1, 'it was sent')
  assert.equal(multicastCrossed, 0)
})

test('routed, without mDNS: not even what is sent to one comes from port 5353', { skip }, async () => {
  const { heard, counted } = await runProgram('pairs', 'routed', 'dht')
  assert.deepEqual(heard, { origin: [], vm2: [] })
  assert.equal(counted.network.mdnsCrossed, 0)
  assert.ok(counted.network.mdnsDropped >= 2)
})

test('isolated-origin: no frame passes between the origin and vm2, all else does', { skip }, async () => {
  const { fetched, heard, counted } = await runProgram('pairs', 'isolated-origin', 'mdns')
  assert.deepEqual(fetched, { ...EVERYTHING, vm2FromOrigin: -1 })
  assert.deepEqual(heard, { origin: ['alone', 'multicast'], vm2: ['alone', 'multicast'] }, 'vm1 reaches both')
  assertCounted(counted, NOTHING)
  assert.equal(counted.network.originBytes, 0)
  assert.ok(counted.network.originDropped > 0, 'it was tried')
})

test('the bridge has a port for each participant, and lets multicast through', { skip }, async () => {
  const { ports, bridges, origin, rogue } = await runProgram('taps', 'lan', 'mdns')
  assert.deepEqual(ports.sort(), ['br0', 'tap1 br0', 'tap2 br0', 'to-origin br0', 'to-rogue br0'])
  assert.deepEqual(
    bridges.map(({ mcast_snooping }: { mcast_snooping: number }) => mcast_snooping),
    [0],
  )
  assert.deepEqual(origin, ['127.0.0.1', '192.168.77.2'])
  assert.deepEqual(rogue, ['127.0.0.1', '192.168.77.201'])
})

test('a routed network has no bridge at all', { skip }, async () => {
  const { ports, bridges, origin, rogue } = await runProgram('taps', 'routed', 'dht')
  assert.deepEqual(ports.sort(), ['tap1', 'tap2', 'to-origin', 'to-rogue'])
  assert.deepEqual(bridges, [])
  assert.deepEqual(origin, ['127.0.0.1', '192.168.77.2'])
  assert.deepEqual(rogue, ['127.0.0.1', '192.168.201.10'])
})
