import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { request } from 'undici'
import { bystanderPlace, guestPlace, HARNESS_ADDRESS, ORIGIN, type Participant } from '../../host-harness/addresses.ts'
import { installCounters, readCounters } from '../../host-harness/counters.ts'
import { startDhcp } from '../../host-harness/dhcp.ts'
import { attachNamespace, createMiddle } from '../../host-harness/links.ts'
import { createNetwork } from '../../host-harness/network.ts'
import { type Discovery, type NetworkKind, type NetworkPlan, participantsOf } from '../../host-harness/topology.ts'

/**
 * usage: harness-network-program.ts pairs|taps NETWORK DISCOVERY DIR, as root of fresh namespaces. Prints one JSON object.
 * `pairs`: the harness's network with namespaces in the machines' places, which exchange packets. `taps`: the real network.
 */
const UDHCPC_SCRIPT = fileURLToPath(new URL('../../init/udhcpc.script', import.meta.url))
/** Long enough for what is answered, short for what is not. */
const FETCH_MS = 1_500
const HEARD_WITHIN_MS = 400

const SERVER = `
const [port, bytes] = process.argv.slice(1).map(Number)
require('node:http').createServer((_, answer) => answer.end(Buffer.alloc(bytes))).listen(port, () => console.log('up'))`
const CLIENT = `
fetch(process.argv[1], { signal: AbortSignal.timeout(${FETCH_MS}) }).then((answer) => answer.arrayBuffer()).then(
  (body) => console.log(body.byteLength), () => console.log(-1))`
/** Tells, once for each, what it hears by multicast and what comes to it alone, from a program on port 5353. */
const LISTENER = `
const dgram = require('node:dgram')
const heard = (port, what) => {
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true })
  socket.once('message', () => console.log(what))
  socket.bind(port, () => {
    if (port === 5353) socket.addMembership('224.0.0.251', process.argv[1])
    if (port !== 5353) console.log('up')
  })
}
heard(5353, 'multicast')
heard(6000, 'alone')`
const SPEAKER = `
const [own, ...others] = process.argv.slice(1)
const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true })
socket.bind(5353, async () => {
  socket.setMulticastInterface(own)
  const send = (port, address) => new Promise((resolve) => socket.send('hello', port, address, resolve))
  await send(5353, '224.0.0.251')
  for (const other of others) await send(6000, other)
  setTimeout(() => socket.close(), 100)
})`

const [mode, network, discovery, directory] = process.argv.slice(2) as [string, NetworkKind, Discovery, string]
const isRouted = network === 'routed'
const [vm1, vm2] = [guestPlace(1, isRouted), guestPlace(2, isRouted)]
const plan: NetworkPlan = { network, discovery, guests: [vm1, vm2], bystanders: [bystanderPlace('rogue', 1, isRouted)] }
console.log(JSON.stringify(mode === 'taps' ? await taps() : await pairs()))
// The servers go with the process namespace.
process.exit(0)

async function jsonOf<T>(...words: string[]): Promise<T> {
  return JSON.parse((await execa(words[0]!, words.slice(1))).stdout)
}

async function taps(): Promise<object> {
  const built = await createNetwork(plan, directory)
  const links = await jsonOf<Array<{ ifname: string; master?: string }>>('ip', '-j', 'link')
  const bridges = await jsonOf<Array<{ linkinfo: { info_data: object } }>>(
    'ip',
    '-j',
    '-d',
    'link',
    'show',
    'type',
    'bridge',
  )
  const addressesIn = async (inside: readonly string[]) => {
    const found = await jsonOf<Array<{ addr_info: Array<{ local: string }> }>>(...inside, 'ip', '-j', '-4', 'address')
    return found.flatMap(({ addr_info }) => addr_info.map(({ local }) => local))
  }
  const origin = await addressesIn(built.inOrigin)
  const rogue = await addressesIn(built.inBystander.get('rogue')!)
  await built[Symbol.asyncDispose]()
  return {
    ports: links
      .filter(({ ifname }) => ifname !== 'lo')
      .map(({ ifname, master }) => `${ifname} ${master ?? ''}`.trim()),
    bridges: bridges.map(({ linkinfo }) => linkinfo.info_data),
    ...{ origin, rogue },
  }
}

async function pairs(): Promise<object> {
  const middle = await createMiddle(network)
  await installCounters(plan)
  const inside = new Map<string, readonly string[]>()
  const participants = participantsOf(plan)
  for (const one of participants) inside.set(one.name, await attachNamespace(one, join(directory, one.name), middle))
  const run = ({ name }: Participant, ...words: string[]) => {
    const [program, ...args] = [...inside.get(name)!, ...words]
    return execa(program!, args, { stdin: 'ignore' })
  }
  const node = (where: Participant, script: string, ...args: string[]) =>
    run(where, process.execPath, '-e', script, ...args)
  const serve = async (where: Participant, port: number, bytes: number) => {
    const server = node(where, SERVER, String(port), String(bytes))
    server.catch(() => {})
    await once(server.stdout, 'data')
  }
  const fetchFrom = async (where: Participant, { address }: Pick<Participant, 'address'>, port = 8080) =>
    Number((await node(where, CLIENT, `http://${address}:${port}/`)).stdout)

  const lease = await leaseOf(vm2)

  await serve(ORIGIN, 8080, 1000)
  await serve(vm1, 8080, 3_000_000)
  const fetched = {
    vm2FromVm1: await fetchFrom(vm2, vm1),
    vm2FromOrigin: await fetchFrom(vm2, ORIGIN),
    vm1FromOrigin: await fetchFrom(vm1, ORIGIN),
  }
  const own = await request(`http://${vm1.address}:8080/`)
  await own.body.dump({ limit: 10_000_000 })
  const heard = await heardOf(vm1, [ORIGIN, vm2])
  const counted = await readCounters(vm2, plan)
  const backwards = await readCounters(vm1, plan)
  await serve(vm1, 4001, 2000)
  await fetchFrom(vm2, vm1, 4001)
  const dht = await readCounters(vm2, plan)
  await serve(vm1, 9090, 1000)
  await fetchFrom(vm2, vm1, 9090)
  const afterwards = await readCounters(vm2, plan)
  return { lease, fetched, heard, reporter: await reporterOf(vm2), counted, dht, afterwards, backwards }

  /** What DHCP tells a machine, by the script of the images. */
  async function leaseOf(guest: typeof vm2): Promise<object> {
    await run(guest, 'ip', 'link', 'set', 'eth0', 'address', guest.mac)
    await run(guest, 'ip', 'address', 'flush', 'dev', 'eth0')
    const dhcp = await startDhcp(plan.guests, middle.linksTo(plan.guests), directory)
    await run(guest, 'busybox', 'udhcpc', ...['-i', 'eth0', '-n', '-q', '-t', '5', '-T', '1', '-s', UDHCPC_SCRIPT])
    await dhcp.stop()
    const words = inside.get(guest.name)!
    const [link] = await jsonOf<Array<{ addr_info: Array<{ local: string; prefixlen: number }> }>>(
      ...[...words, 'ip', '-j', '-4', 'address', 'show', 'dev', 'eth0'],
    )
    const [route] = await jsonOf<Array<{ gateway?: string }>>(...words, 'ip', '-j', 'route', 'show', 'default')
    const { local, prefixlen } = link!.addr_info[0]!
    return { address: `${local}/${prefixlen}`, router: route?.gateway ?? null }
  }

  /** What the others hear when one speaks as mDNS does. */
  async function heardOf(speaker: Participant, others: readonly Participant[]): Promise<Record<string, string[]>> {
    const said = new Map<string, string>()
    for (const other of others) {
      const listener = node(other, LISTENER, other.address)
      listener.catch(() => {})
      listener.stdout.on('data', (text) => said.set(other.name, `${said.get(other.name) ?? ''}${text}`))
      await once(listener.stdout, 'data')
    }
    await node(speaker, SPEAKER, speaker.address, ...others.map(({ address }) => address))
    await sleep(HEARD_WITHIN_MS)
    const words = (name: string) =>
      (said.get(name) ?? '')
        .trim()
        .split('\n')
        .filter((word) => word !== 'up')
    return Object.fromEntries(others.map(({ name }) => [name, words(name).sort()]))
  }

  /** Whom the harness sees when a machine reports: an address of nobody else's would not be taken. */
  async function reporterOf(guest: Participant): Promise<string> {
    const server = createServer((query, answer) => answer.end(Buffer.alloc(query.socket.remoteAddress!.length)))
    const seen = once(server, 'request')
    server.listen(0, HARNESS_ADDRESS)
    await once(server, 'listening')
    await fetchFrom(guest, { address: HARNESS_ADDRESS }, (server.address() as AddressInfo).port)
    const [query] = await Promise.race([seen, sleep(FETCH_MS).then(() => [undefined])])
    return query?.socket.remoteAddress ?? 'nobody'
  }
}
