import { DHT_PORT } from '../service/dht/bootstrap-peer.ts'
import { ORIGIN, PROVIDER_PORT } from './addresses.ts'
import { dropsMdns, type NetworkKind, type NetworkPlan, participantsOf, reaches, usesDht } from './topology.ts'

const MDNS_PORT = 5353

/** Names of the counters, which nft keeps beside the rules; each is there in every network, and stays 0 where nothing is. */
export const COUNTERS = {
  pair: (from: string, to: string) => `${from}_to_${to}`,
  stray: (to: string) => `stray_to_${to}`,
  dht: (to: string) => `dht_to_${to}`,
  withOrigin: (machine: string) => `origin_with_${machine}`,
  keptFromOrigin: (machine: string) => `origin_kept_from_${machine}`,
  multicastHeard: 'multicast_heard',
  multicastCrossed: 'multicast_crossed',
  mdnsCrossed: 'mdns_crossed',
  mdnsDropped: 'mdns_dropped',
} as const

/** Where the forward hook is that participants' packets pass. */
export const familyOf = (network: NetworkKind): 'bridge' | 'inet' => (network === 'routed' ? 'inet' : 'bridge')

/**
 * nftables rules that count, in the forward hook of bridge or router, what each participant's port 8080 sends to each other
 * one, the DHT's TCP and all other TCP apart; and before that, drop what the network or the way of discovery forbids. What is
 * said to have crossed is counted after it could have been dropped. Traffic of the harness itself (from its own addresses)
 * does not pass this hook.
 */
export function counterRules(plan: NetworkPlan): string {
  const { network, discovery, guests } = plan
  const participants = participantsOf(plan)
  const pairs = participants.flatMap((from) =>
    participants.filter((to) => to !== from).map((to) => ({ from, to, name: COUNTERS.pair(from.name, to.name) })),
  )
  const apart = guests.filter(({ name }) => !reaches(network, name, ORIGIN.name))
  const { multicastHeard, multicastCrossed, mdnsCrossed, mdnsDropped } = COUNTERS
  const counters = [
    ...[multicastHeard, multicastCrossed, mdnsCrossed, mdnsDropped],
    ...pairs.map(({ name }) => name),
    ...participants.flatMap(({ name }) => [COUNTERS.stray(name), COUNTERS.dht(name)]),
    ...guests.flatMap(({ name }) => [COUNTERS.withOrigin(name), COUNTERS.keptFromOrigin(name)]),
  ]
  return [
    `table ${familyOf(network)} plasm {`,
    ...counters.map((name) => `  counter ${name} { }`),
    '  chain heard {',
    '    type filter hook prerouting priority 0; policy accept;',
    ...participants.flatMap(({ port }) => multicast(`iifname "${port}" `, multicastHeard)),
    '  }',
    '  chain apart {',
    '    type filter hook forward priority -10; policy accept;',
    ...apart.flatMap(({ name, port }) => withOrigin(port, `counter name ${COUNTERS.keptFromOrigin(name)} drop`)),
    ...(dropsMdns(discovery) ? mdns(`counter name ${mdnsDropped} drop`) : []),
    '  }',
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    ...multicast('', multicastCrossed),
    ...mdns(`counter name ${mdnsCrossed}`),
    ...guests.flatMap(({ name, port }) => withOrigin(port, `counter name ${COUNTERS.withOrigin(name)}`)),
    ...pairs.map(
      ({ from, to, name }) =>
        `    iifname "${from.port}" oifname "${to.port}" ip saddr ${from.address} ip daddr ${to.address} tcp sport ${PROVIDER_PORT} counter name ${name} accept`,
    ),
    // A machine that serves gets acknowledgements and requests.
    `    tcp dport ${PROVIDER_PORT} accept`,
    ...(usesDht(discovery) ? participants.flatMap(({ name, port }) => dht(port, COUNTERS.dht(name))) : []),
    ...participants.map(
      ({ name, port }) => `    oifname "${port}" meta l4proto tcp counter name ${COUNTERS.stray(name)}`,
    ),
    '  }',
    '}',
    '',
  ].join('\n')
}

const multicast = (from: string, counter: string) => [
  `    ${from}ip daddr 224.0.0.0/4 counter name ${counter}`,
  `    ${from}ip6 daddr ff00::/8 counter name ${counter}`,
]

/** Answers to a question from another port come from 5353, and do not go to it (RFC 6762, 6.7). */
const mdns = (verdict: string) => [
  `    udp dport ${MDNS_PORT} ${verdict}`,
  `    udp sport ${MDNS_PORT} udp dport != ${MDNS_PORT} ${verdict}`,
]

const withOrigin = (port: string, verdict: string) => [
  `    iifname "${ORIGIN.port}" oifname "${port}" ${verdict}`,
  `    iifname "${port}" oifname "${ORIGIN.port}" ${verdict}`,
]

const dht = (port: string, counter: string) =>
  ['sport', 'dport'].map((end) => `    oifname "${port}" tcp ${end} ${DHT_PORT} counter name ${counter} accept`)
