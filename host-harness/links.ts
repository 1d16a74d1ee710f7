import { readFile, writeFile } from 'node:fs/promises'
import { PlasmError } from '../service/errors.ts'
import { HARNESS_ADDRESS, type Participant, PREFIX_LENGTH } from './addresses.ts'
import { ip, runNetworkTool } from './run-ip.ts'
import type { NetworkKind } from './topology.ts'

const BRIDGE = 'br0'
const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward'

/** What the participants' links are connected to. */
export interface Middle {
  /** Connects the harness's end of a participant's link. */
  connect(participant: Participant): Promise<void>
  /** Whether a participant needs its gateway to reach the others. */
  readonly routed: boolean
  /** The links that the harness has addresses on, to which those participants are connected: where DHCP answers. */
  linksTo(participants: readonly Participant[]): readonly string[]
}

/** @throws PlasmError `network-failed` */
export async function createMiddle(network: NetworkKind): Promise<Middle> {
  await ip('link set lo up')
  return network === 'routed' ? createRouter() : createBridge(network)
}

/** One bridge, carrying the harness's own address; what participants send each other passes its forward hook. */
async function createBridge(network: NetworkKind): Promise<Middle> {
  // No way round what the bridge drops; a new namespace takes the value from the host.
  if (network === 'isolated-origin') await setIpForward('0')
  // Snooping forwards multicast only to ports that a querier has asked, and there is none here: mDNS would not pass.
  await ip(`link add ${BRIDGE} type bridge mcast_snooping 0 stp_state 0 forward_delay 0`)
  await ip(`address add ${HARNESS_ADDRESS}/${PREFIX_LENGTH} dev ${BRIDGE}`)
  await ip(`link set ${BRIDGE} up`)
  return {
    routed: false,
    linksTo: () => [BRIDGE],
    connect: ({ port }) => ip(`link set ${port} master ${BRIDGE} up`),
  }
}

/** This namespace as a router: each link is a segment of its own. Nothing here routes multicast (ip-mroute(8)), nor IPv6. */
async function createRouter(): Promise<Middle> {
  await setIpForward('1')
  return {
    routed: true,
    linksTo: (participants) => participants.map(({ port }) => port),
    async connect({ port, gateway }) {
      await ip(`address add ${gateway}/${PREFIX_LENGTH} dev ${port}`)
      await ip(`link set ${port} up`)
    },
  }
}

/** A tap to start a machine on. */
export async function attachTap(participant: Participant, middle: Middle): Promise<void> {
  await ip(`tuntap add ${participant.port} mode tap`)
  await middle.connect(participant)
}

/**
 * A network namespace whose only link is a veth to the middle, with the participant's address on it.
 * @param file where the namespace is pinned: named by path, since the directory that `ip netns` uses may not exist
 * @returns the words that run a command in it
 */
export async function attachNamespace(
  participant: Participant,
  file: string,
  middle: Middle,
): Promise<readonly string[]> {
  const { port, address, gateway } = participant
  await writeFile(file, '')
  await runNetworkTool('unshare', [`--net=${file}`, 'true'])
  const inside = ['nsenter', `--net=${file}`]
  const ipInside = (words: string) => runNetworkTool('nsenter', [`--net=${file}`, 'ip', ...words.split(' ')])
  await ip(`link add ${port} type veth peer name eth0 netns ${file}`)
  await middle.connect(participant)
  await ipInside('link set lo up')
  await ipInside(`address add ${address}/${PREFIX_LENGTH} dev eth0`)
  await ipInside('link set eth0 up')
  if (middle.routed) await ipInside(`route add default via ${gateway}`)
  return inside
}

/** Written only where it is another: /proc/sys may be read-only. */
async function setIpForward(value: '0' | '1'): Promise<void> {
  if ((await readFile(IP_FORWARD, 'utf8')).trim() === value) return
  await writeFile(IP_FORWARD, value).catch((cause: Error) => {
    throw new PlasmError('network-failed', `${IP_FORWARD} cannot be set to ${value}: ${cause.message}`, {
      facts: { step: 'network' },
      hint: 'a container needs --privileged, which leaves /proc/sys writable',
      cause,
    })
  })
}
