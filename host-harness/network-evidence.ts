import type { DiscoverySource } from '../agent/boot-record.ts'
import type { NetworkEvidence } from './counters.ts'
import { type Discovery, dropsMdns, type NetworkKind } from './topology.ts'

/** The piece's name is stable: scripts and tests go by it. */
export interface MissingPiece {
  readonly piece: string
  readonly found: string
}

export type Check = readonly [piece: string, holds: boolean, found: string]

/** No chunk of 4 MiB fits in it; finding a provider takes some ten thousand bytes. */
const DHT_LIMIT_BYTES = 1024 * 1024

/** How a machine that was told to discover so may say that it found its provider. */
const SOURCES: Readonly<Record<Discovery, readonly DiscoverySource[]>> = {
  mdns: ['mdns'],
  dht: ['dht'],
  static: ['static'],
  auto: ['mdns', 'dht', 'known'],
}

export interface NetworkFacts {
  readonly asked: { readonly network: NetworkKind; readonly discovery: Discovery }
  readonly isNearOrigin: boolean
  readonly network: NetworkEvidence
}

/**
 * Whether the network was what it was asked to be, and the provider found in the way that was asked for. That nothing passed
 * counts only beside what was seen to be stopped: every machine sends multicast, DHCP and IPv6 see to that.
 */
export function networkChecks(
  { asked, isNearOrigin, network: counted }: NetworkFacts,
  discoveredBy: DiscoverySource,
): readonly Check[] {
  const { network, discovery } = asked
  const { multicastHeard, multicastCrossed, mdnsCrossed, mdnsDropped, originBytes, originDropped, dhtBytes } = counted
  const isRouted = network === 'routed'
  const mdnsKeptOut = dropsMdns(discovery) || isRouted
  return [
    [
      'discovered',
      SOURCES[discovery].includes(discoveredBy),
      discoveredBy === 'static'
        ? 'the provider was given, not discovered'
        : `the provider was found by ${discoveredBy}, not by ${SOURCES[discovery].join(' or ')}`,
    ],
    [
      'multicast',
      !isRouted || (multicastHeard > 0 && multicastCrossed === 0),
      `${multicastHeard} multicast packets were sent, ${multicastCrossed} passed on`,
    ],
    [
      'mdns',
      mdnsKeptOut ? mdnsCrossed === 0 : discoveredBy !== 'mdns' || mdnsCrossed > 0,
      `${mdnsCrossed} mDNS packets passed between machines, ${mdnsDropped} were dropped`,
    ],
    [
      'originApart',
      isNearOrigin || (originBytes === 0 && originDropped > 0),
      `${originBytes} bytes passed between it and the origin, ${originDropped} frames were dropped`,
    ],
    ['dhtBytes', dhtBytes < DHT_LIMIT_BYTES, `${dhtBytes} bytes of the DHT, under ${DHT_LIMIT_BYTES} are expected`],
  ]
}
