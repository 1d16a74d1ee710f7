import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { request } from 'undici'
import { guestPlace, ORIGIN, type Participant } from '../../host-harness/addresses.ts'
import { installCounters, readCounters } from '../../host-harness/counters.ts'
import { attachNamespace, createBridge, createNetwork, startDhcp } from '../../host-harness/network.ts'

/**
 * usage: harness-network-program.ts pairs|taps DIR, as root of fresh namespaces. Prints one JSON object.
 * `pairs`: the harness's bridge with namespaces in the machines' places, which exchange bytes. `taps`: the real network.
 */
const SERVER = `
const [port, bytes] = process.argv.slice(1).map(Number)
require('node:http').createServer((_, answer) => answer.end(Buffer.alloc(bytes))).listen(port, () => console.log('up'))`
const CLIENT = `
fetch(process.argv[1]).then((answer) => answer.arrayBuffer()).then((body) => console.log(body.byteLength))`

const [mode, directory] = process.argv.slice(2) as [string, string]
console.log(JSON.stringify(mode === 'taps' ? await taps() : await pairs()))
// The servers go with the process namespace.
process.exit(0)

async function taps(): Promise<object> {
  const network = await createNetwork([guestPlace(1), guestPlace(2)], directory)
  const { stdout: ports } = await execa('ip', ['-j', 'link', 'show', 'master', 'br0'])
  const { stdout: bridge } = await execa('ip', ['-j', '-d', 'link', 'show', 'br0'])
  const { stdout: origin } = await execa(network.inOrigin[0]!, [
    ...network.inOrigin.slice(1),
    'ip',
    '-j',
    '-4',
    'address',
  ])
  await network[Symbol.asyncDispose]()
  return {
    ports: JSON.parse(ports).map(({ ifname }: { ifname: string }) => ifname),
    snooping: JSON.parse(bridge)[0].linkinfo.info_data.mcast_snooping,
    origin: JSON.parse(origin).flatMap((link: { addr_info: Array<{ local: string }> }) =>
      link.addr_info.map(({ local }) => local),
    ),
  }
}

async function pairs(): Promise<object> {
  const [vm1, vm2] = [guestPlace(1), guestPlace(2)]
  const participants: readonly Participant[] = [ORIGIN, vm1, vm2]
  await createBridge()
  const inside = new Map<Participant, readonly string[]>()
  for (const one of participants) inside.set(one, await attachNamespace(one, join(directory, one.name)))
  await installCounters(participants)
  const run = (where: Participant, ...words: string[]) => {
    const [program, ...args] = [...inside.get(where)!, ...words]
    return execa(program!, args, { stdin: 'ignore' })
  }
  const serve = async (where: Participant, port: number, bytes: number) => {
    const server = run(where, process.execPath, '-e', SERVER, String(port), String(bytes))
    server.catch(() => {})
    await once(server.stdout, 'data')
  }
  const fetchFrom = async (where: Participant, url: string) =>
    Number((await run(where, process.execPath, '-e', CLIENT, url)).stdout)

  const dhcp = await startDhcp([vm1, vm2], directory)
  await run(vm2, 'ip', 'link', 'set', 'eth0', 'address', vm2.mac)
  const script = join(directory, 'lease')
  await writeFile(script, '#!/bin/sh\n[ "$1" = bound ] && echo "$ip"\nexit 0\n', { mode: 0o755 })
  const lease = await run(vm2, 'busybox', 'udhcpc', '-i', 'eth0', '-n', '-q', '-t', '5', '-T', '1', '-s', script)

  await serve(ORIGIN, 8080, 1000)
  await serve(vm1, 8080, 3_000_000)
  const fetched = await fetchFrom(vm2, `http://${vm1.address}:8080/`)
  await fetchFrom(vm2, `http://${ORIGIN.address}:8080/`)
  const own = await request(`http://${vm1.address}:8080/`)
  await own.body.dump({ limit: 10_000_000 })
  const counted = await readCounters(vm2, participants)
  await serve(ORIGIN, 9090, 1000)
  await fetchFrom(vm2, `http://${ORIGIN.address}:9090/`)
  const afterwards = await readCounters(vm2, participants)
  const backwards = await readCounters(vm1, participants)
  await dhcp.stop()
  return { lease: lease.stdout.trim(), fetched, counted, afterwards, backwards }
}
