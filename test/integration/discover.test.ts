import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { hostArch } from '../../service/arch.ts'
import { makeRoot, putSet } from '../support/plasmd.ts'

const run = promisify(execFile)
const support = (name: string) => fileURLToPath(new URL(`../support/${name}`, import.meta.url))
const node = (program: string, ...args: string[]) => [process.execPath, support(program), ...args].join(' ')
const advertise = (machine: string, port: number, channel: string, ...txt: string[]) =>
  node('advertise-program.ts', machine, `${port}`, channel, ...txt)

/** Discovers on a link with no default route, with another machine's advertisement on the other end of it. */
async function discoverBeside(peer: string, command: string) {
  const { stdout } = await run(support('two-networks.sh'), [peer, command], { timeout: 20_000 })
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

test('finds a booted machine over mDNS, with its name and generation, where there is no default route', async () => {
  const peer = advertise('plasm-aaaaaa', 8080, 'stable', 'generation=3')
  const { found, milliseconds } = await discoverBeside(peer, node('discover-program.ts', '5000'))
  assert.deepEqual(found, [
    {
      url: 'http://10.77.0.1:8080',
      source: 'mdns',
      name: 'plasm-aaaaaa',
      generation: 3,
      version: '0.1.0',
      onLink: true,
    },
  ])
  assert.ok(milliseconds < 2_000, `an answer by unicast comes at once, not after ${milliseconds} ms`)
})

test('rejects another channel and this machine itself, each with its reason', async () => {
  const peer = advertise('plasm-aaaaaa', 8080, 'testing', 'generation=1')
  const own = advertise('plasm-bbbbbb', 8081, 'stable', 'generation=1')
  const command = `${own} & sleep 1; ${node('discover-program.ts', '1000')}; kill $!`
  const { error, told } = await discoverBeside(peer, command)
  assert.equal(error, 'no-provider')
  const reasons = new Map(told.map(({ url, reason }: Record<string, string>) => [url, reason]))
  assert.deepEqual(
    reasons,
    new Map([
      ['http://10.77.0.1:8080', 'it serves channel testing, not stable'],
      ['http://10.77.0.2:8081', '10.77.0.2 is this machine itself'],
    ]),
  )
})

test('a provider that serves other channels or architectures, too, is found by the one that it has for this machine', async () => {
  const ours = advertise('plasm-aaaaaa', 8080, 'stable', 'generation=0')
  const other = advertise('plasm-aaaaab', 8080, 'testing', 'generation=0')
  for (const [first, last] of [
    [ours, other],
    [other, ours],
  ]) {
    const { found, error } = await discoverBeside(
      `sh -c '${first} >/dev/null & exec ${last}'`,
      `sleep 1; ${node('discover-program.ts', '3000')}`,
    )
    assert.deepEqual([error, found.map(({ url }: Record<string, string>) => url)], [null, ['http://10.77.0.1:8080']])
  }
})

for (const by of ['plasmd', 'agent']) {
  test(`how many transfers run is told anew, and whoever browses learns it: ${by}`, async (t) => {
    const root = await makeRoot(t)
    // More than the sockets between the two hold.
    await putSet(join(root, 'stable', hostArch()), { kernel: 32 * 2 ** 20, initramfs: 1 })
    const { told } = await discoverBeside(node('load-program.ts', by, root), node('browse-program.ts', '10000'))
    const loads = told.map(({ load }: { load: number }) => load)
    assert.deepEqual(
      loads.filter((load: number, index: number) => load !== loads[index - 1]),
      [0, 1, 0],
    )
  })
}
