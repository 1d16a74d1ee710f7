import { isIP } from 'node:net'
import { PlasmError } from '../errors.ts'
import { isPeerId } from '../peer-id.ts'

/** Where a DHT is joined: a node's TCP address, or a DNS name whose TXT records name nodes. */
export type BootstrapPeer = BootstrapAddress | { readonly kind: 'dnsaddr'; readonly host: string }

export interface BootstrapAddress {
  readonly kind: 'address'
  /** IP address or DNS name. */
  readonly host: string
  readonly port: number
  /** Who must answer there; absent: whoever does. */
  readonly peerId?: string
}

/** The DHT's TCP port where none is said. */
export const DHT_PORT = 4001

/** More at once would only be asked one after another. */
export const MAX_BOOTSTRAP_PEERS = 32

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\.?$/i
const HOST_PORT = /^(?:\[([0-9a-f:.]+)\]|([^\s[\]:/]+)):(\d{1,5})$/i
const MULTIADDR = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(?:\/(?:p2p|ipfs)\/([^/]+))?\/?$/
const DNSADDR = /^\/dnsaddr\/([^/]+)(?:\/p2p\/[^/]+)?\/?$/

/**
 * A bootstrap peer as people write it: `/ip4/A/tcp/4001[/p2p/ID]`, `/dnsaddr/host`, or `host:port`. No part of libp2p is loaded for it,
 * since every agent reads its configuration.
 * @returns undefined for anything else
 */
export function parseBootstrapPeer(text: string): BootstrapPeer | undefined {
  const [, dnsHost] = DNSADDR.exec(text) ?? []
  if (dnsHost !== undefined) return DNS_NAME.test(dnsHost) ? { kind: 'dnsaddr', host: dnsHost } : undefined
  const [, protocol, host, port, peerId] = MULTIADDR.exec(text) ?? []
  if (protocol !== undefined) {
    return hasHost(protocol, host!) ? address(host!, Number(port), peerId) : undefined
  }
  const [, ip6, name, plainPort] = HOST_PORT.exec(text) ?? []
  const plainHost = ip6 ?? name
  if (plainHost === undefined || !(ip6 === undefined ? isHost(plainHost) : isIP(ip6) === 6)) return undefined
  return address(plainHost, Number(plainPort))
}

/**
 * A list of them, from a configuration.
 * @returns the same texts, trimmed, without empty ones
 * @throws PlasmError `config-invalid` (facts: `parameter`, `value`)
 */
export function bootstrapPeers(parameter: string, texts: readonly string[]): readonly string[] {
  const given = texts.map((text) => text.trim()).filter(Boolean)
  const wrong = given.find((text) => parseBootstrapPeer(text) === undefined)
  const value = given.length > MAX_BOOTSTRAP_PEERS ? given.join(',') : wrong
  if (value === undefined) return given
  const problem =
    wrong === undefined ? `names more than ${MAX_BOOTSTRAP_PEERS} peers` : `"${wrong}" is no bootstrap peer`
  throw new PlasmError('config-invalid', `${parameter}: ${problem}`, {
    facts: { parameter, value },
    hint: `write ${parameter}=/ip4/192.0.2.1/tcp/${DHT_PORT}, with /p2p/<peer id> behind it where you know it, or 192.0.2.1:${DHT_PORT}, or /dnsaddr/example.org`,
  })
}

function address(host: string, port: number, peerId?: string): BootstrapPeer | undefined {
  if (port < 1 || port > 65_535 || (peerId !== undefined && !isPeerId(peerId))) return undefined
  return { kind: 'address', host, port, ...(peerId === undefined ? {} : { peerId }) }
}

function hasHost(protocol: string, host: string): boolean {
  if (protocol === 'ip4') return isIP(host) === 4
  if (protocol === 'ip6') return isIP(host) === 6
  return DNS_NAME.test(host)
}

/** `1.2.3` and `999.1.1.1` are no names: their last part is a number (URL standard: ends in a number). */
const isHost = (host: string): boolean => isIP(host) === 4 || (DNS_NAME.test(host) && !/(^|\.)\d+\.?$/.test(host))
