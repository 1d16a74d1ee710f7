import { type GuestPlace, guestPlace, ORIGIN, type Participant } from './addresses.ts'

/**
 * What connects the participants. `lan`: one bridge. `routed`: each on a segment of its own, the harness's namespace routes
 * between them. `isolated-origin`: one bridge, on which no frame passes between the origin and vm2 or later ones.
 */
export type NetworkKind = 'lan' | 'routed' | 'isolated-origin'
export const NETWORKS: readonly NetworkKind[] = ['lan', 'routed', 'isolated-origin']

/** How the machines are to find their providers. `auto`: by mDNS and the DHT, whichever has it. */
export type Discovery = 'mdns' | 'dht' | 'static' | 'auto'
export const DISCOVERIES: readonly Discovery[] = ['mdns', 'dht', 'static', 'auto']

/** A run's network and who is on it: all of it is fixed before anything starts. */
export interface NetworkPlan {
  readonly network: NetworkKind
  readonly discovery: Discovery
  readonly guests: readonly GuestPlace[]
  /** Others beside the origin, for tests; nobody boots from them. */
  readonly bystanders: readonly Participant[]
}

export const participantsOf = ({ guests, bystanders }: NetworkPlan): readonly Participant[] => [
  ORIGIN,
  ...bystanders,
  ...guests,
]

/** The plain network: one bridge, and mDNS. */
export const lanOf = (guests: readonly GuestPlace[]): NetworkPlan => ({
  ...{ network: 'lan', discovery: 'mdns', guests, bystanders: [] },
})

/** @returns why a network does not go with a way of discovery, one sentence; undefined where it does */
export function discoveryProblem(network: NetworkKind, discovery: Discovery): string | undefined {
  if (network !== 'routed' || discovery !== 'mdns') return undefined
  return 'mDNS does not cross routers: with --network routed ask for --discovery dht, static or auto'
}

/** Whether the machines take part in the DHT; the origin does then, too. */
export const usesDht = (discovery: Discovery): boolean => discovery === 'dht' || discovery === 'auto'

/** Whether mDNS is kept from passing between the participants, so that what was found was found without it. */
export const dropsMdns = (discovery: Discovery): boolean => discovery === 'dht' || discovery === 'static'

/** Whether the network lets a machine talk to that participant. */
export function reaches(network: NetworkKind, machine: string, other: string): boolean {
  return network !== 'isolated-origin' || other !== ORIGIN.name || machine === guestPlace(1).name
}
