import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { namespacesHere } from '../support/in-namespaces.ts'

const PROGRAM = fileURLToPath(new URL('../support/harness-network-program.ts', import.meta.url))
const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

async function runProgram(mode: 'pairs' | 'taps') {
  assert.ok('args' in here)
  const directory = await mkdtemp(join(tmpdir(), 'harness-network-'))
  try {
    const command = [...here.args, process.execPath, PROGRAM, mode, directory]
    const { stdout } = await execa('unshare', command, { timeout: 60_000, stdin: 'ignore' })
    return JSON.parse(stdout.trim().split('\n').at(-1)!)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test('counters tell who sent what to whom, and the harness apart', { skip }, async () => {
  const { lease, fetched, counted, afterwards, backwards } = await runProgram('pairs')
  assert.equal(lease, '192.168.77.12', 'the lease that belongs to the MAC')
  assert.equal(fetched, 3_000_000)
  const from = (received: typeof counted) =>
    Object.fromEntries(
      received.pairs.map(({ provider, bytes }: { provider: string; bytes: number }) => [provider, bytes]),
    )
  const { vm1, origin } = from(counted)
  assert.ok(vm1 >= 3_000_000 && vm1 < 3_300_000, `${vm1} bytes from vm1: what vm2 fetched, not what the harness did`)
  assert.ok(origin >= 1000 && origin < 5000, `${origin} bytes from the origin`)
  assert.equal(counted.strayBytes, 0)
  assert.ok(afterwards.strayBytes > 1000, 'another port does not slip by')
  assert.deepEqual(from(afterwards), from(counted))
  assert.deepEqual(from(backwards), { origin: 0, vm2: 0 }, 'acknowledgements count for nobody')
  assert.equal(backwards.strayBytes, 0)
})

test('the network has a port for each participant, and lets multicast through', { skip }, async () => {
  const { ports, snooping, origin } = await runProgram('taps')
  assert.deepEqual(ports.sort(), ['tap1', 'tap2', 'to-origin'])
  assert.equal(snooping, 0)
  assert.deepEqual(origin, ['127.0.0.1', '192.168.77.2'])
})
