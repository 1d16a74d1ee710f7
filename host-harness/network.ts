import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import { type GuestPlace, HARNESS_ADDRESS, ORIGIN, type Participant, PREFIX_LENGTH } from './addresses.ts'
import { installCounters } from './counters.ts'

const BRIDGE = 'br0'
const DNSMASQ_START_MS = 300

export interface Network extends AsyncDisposable {
  /** Words that go before a command to run it where the origin is, in a network namespace of its own. */
  readonly inOrigin: readonly string[]
  readonly participants: readonly Participant[]
}

/**
 * Builds the run's network in the network namespace that this runs in: a bridge that carries the harness's address, the
 * origin behind a veth, a tap for each guest, DHCP, and counters. Every participant is a port of the bridge, so what they
 * send each other passes its forward hook. It all goes with the namespace.
 * @throws PlasmError `network-failed` | `counters-failed`
 */
export async function createNetwork(guests: readonly GuestPlace[], runDir: string): Promise<Network> {
  const participants = [ORIGIN, ...guests]
  await createBridge()
  const inOrigin = await attachNamespace(ORIGIN, join(runDir, 'origin.netns'))
  for (const { port } of guests) {
    await ip(`tuntap add ${port} mode tap`)
    await ip(`link set ${port} master ${BRIDGE} up`)
  }
  await installCounters(participants)
  const dhcp = await startDhcp(guests, runDir)
  return { inOrigin, participants, [Symbol.asyncDispose]: dhcp.stop }
}

/** The bridge, carrying the harness's own address. */
export async function createBridge(): Promise<void> {
  await ip('link set lo up')
  // Snooping forwards multicast only to ports that a querier has asked, and there is none here: mDNS would not pass.
  await ip(`link add ${BRIDGE} type bridge mcast_snooping 0 stp_state 0 forward_delay 0`)
  await ip(`address add ${HARNESS_ADDRESS}/${PREFIX_LENGTH} dev ${BRIDGE}`)
  await ip(`link set ${BRIDGE} up`)
}

/**
 * A network namespace whose only link is a veth to the bridge, with the participant's address on it.
 * @param file where the namespace is pinned: named by path, since the directory that `ip netns` uses may not exist
 * @returns the words that run a command in it
 */
export async function attachNamespace(participant: Participant, file: string): Promise<readonly string[]> {
  await writeFile(file, '')
  await run('unshare', [`--net=${file}`, 'true'])
  const inside = ['nsenter', `--net=${file}`]
  const ipInside = (words: string) => run('nsenter', [`--net=${file}`, 'ip', ...words.split(' ')])
  await ip(`link add ${participant.port} type veth peer name eth0 netns ${file}`)
  await ip(`link set ${participant.port} master ${BRIDGE} up`)
  await ipInside('link set lo up')
  await ipInside(`address add ${participant.address}/${PREFIX_LENGTH} dev eth0`)
  await ipInside('link set eth0 up')
  return inside
}

/** dnsmasq with a fixed lease for each guest; `--no-ping` leaves out its address check, three seconds a boot. */
export async function startDhcp(guests: readonly GuestPlace[], runDir: string): Promise<{ stop(): Promise<void> }> {
  const range = HARNESS_ADDRESS.replace(/\d+$/, '0')
  const args = [
    // Not a daemon: it stays root of its user namespace (where setgroups is refused) and logs to stderr.
    '--no-daemon',
    ...['-C', '/dev/null', '--port=0', `--interface=${BRIDGE}`, '--bind-interfaces', '--no-ping', '--log-dhcp'],
    `--dhcp-range=${range},static,255.255.255.0,1h`,
    ...guests.map(({ mac, address, name }) => `--dhcp-host=${mac},${address},${name}`),
    `--dhcp-leasefile=${join(runDir, 'dhcp.leases')}`,
  ]
  const log = join(runDir, 'dnsmasq.log')
  const dnsmasq = execa('dnsmasq', args, { stdin: 'ignore', stdout: 'ignore', stderr: { file: log }, reject: false })
  const early = await Promise.race([dnsmasq, sleep(DNSMASQ_START_MS)])
  if (early) {
    throw new PlasmError('network-failed', `dnsmasq ended at once: ${early.shortMessage}`, {
      facts: { step: 'network' },
      hint: `see ${log}`,
    })
  }
  return {
    async stop() {
      dnsmasq.kill()
      await dnsmasq
    },
  }
}

const ip = (words: string) => run('ip', words.split(' '))

async function run(program: string, args: readonly string[]): Promise<void> {
  const ran = await execa(program, args, { reject: false, stdin: 'ignore' })
  if (!ran.failed) return
  const said = ran.stderr.trim() || String(ran.shortMessage)
  throw new PlasmError('network-failed', `${program} ${args.join(' ')}: ${said}`, {
    facts: { step: 'network', program, said },
    hint: hintFor(said),
  })
}

function hintFor(said: string): string {
  if (said.includes('/dev/net/tun')) return 'make /dev/net/tun readable and writable for you, or run as root'
  return 'the host kernel needs bridge, veth and tun (modprobe bridge veth tun)'
}
