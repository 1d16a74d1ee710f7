import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { AgentEvent } from '../../../agent/events.ts'
import { tellNetworkUp } from '../../../agent/network-up.ts'

async function fileFor(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'network-up-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'network-up')
}

/** No address at first, as before DHCP has answered. */
function comingUp(address: string): () => ReadonlySet<string> {
  let looks = 0
  return () => new Set(looks++ < 2 ? [] : [address])
}

test('the network is told once, from when DHCP answered', async (t) => {
  const file = await fileFor(t)
  await writeFile(file, '3.42\n')
  const told: AgentEvent[] = []
  await tellNetworkUp((event) => told.push(event), { addresses: comingUp('192.168.77.11'), file })
  assert.deepEqual(told, [{ type: 'network-up', addresses: ['192.168.77.11'], uptime: 3.42 }])
})

test('where nobody wrote that down, it is from when the address was seen', async (t) => {
  const told: AgentEvent[] = []
  const addresses = () => new Set(['192.168.77.11'])
  await tellNetworkUp((event) => told.push(event), { addresses, file: await fileFor(t) })
  const [event] = told
  assert.ok(event?.type === 'network-up' && event.uptime > 0)
})

test('nothing is told of a network that never comes', async (t) => {
  const told: AgentEvent[] = []
  const signal = AbortSignal.timeout(120)
  // Its own waits keep no process alive.
  const alive = setInterval(() => {}, 1000)
  t.after(() => clearInterval(alive))
  await tellNetworkUp((event) => told.push(event), { addresses: () => new Set(), file: await fileFor(t), signal })
  assert.deepEqual(told, [])
})
