import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type BootstrapAddress, type BootstrapPeer, parseBootstrapPeer } from './bootstrap-peer.ts'

/** `_dnsaddr.<host>` may name other such hosts, in turn; libp2p's own nodes do so once. */
const MAX_DEPTH = 3
/** Of one name; more are left out. */
const MAX_ADDRESSES = 32
const DNS_WITHIN_MS = 3_000
const TXT_PREFIX = 'dnsaddr='

/** What DNS is asked by; tests have their own server. */
export interface Dns {
  readonly txt: (name: string) => Promise<readonly string[][]>
  readonly addresses: (host: string) => Promise<readonly string[]>
}

/** TXT records by a resolver, addresses as every program here finds them (/etc/hosts, then DNS). */
export function dnsBy(resolver: Resolver): Dns {
  return {
    txt: (name) => resolver.resolveTxt(name),
    addresses: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  }
}

export const SYSTEM_DNS: Dns = dnsBy(new Resolver({ timeout: DNS_WITHIN_MS, tries: 1 }))

/**
 * The IP addresses of a bootstrap peer, asking DNS where it is a name.
 * @returns none where the name leads nowhere @throws the system's error where DNS fails
 */
export async function resolveBootstrap(
  peer: BootstrapPeer,
  dns: Dns = SYSTEM_DNS,
  depth = MAX_DEPTH,
): Promise<readonly BootstrapAddress[]> {
  if (peer.kind === 'address') {
    if (isIP(peer.host)) return [peer]
    return (await dns.addresses(peer.host)).slice(0, MAX_ADDRESSES).map((host) => ({ ...peer, host }))
  }
  if (depth === 0) return []
  // dnsaddr specification (multiformats/multiaddr, protocols/DNSADDR.md): TXT records `dnsaddr=<multiaddr>`.
  const records = (await dns.txt(`_dnsaddr.${peer.host}`)).map((strings) => strings.join(''))
  const named = records
    .filter((record) => record.startsWith(TXT_PREFIX))
    // Nodes of the public network mostly name QUIC and WebSockets there; those are no addresses for us.
    .flatMap((record) => parseBootstrapPeer(record.slice(TXT_PREFIX.length)) ?? [])
  const found: BootstrapAddress[] = []
  for (const next of named) {
    if (found.length >= MAX_ADDRESSES) break
    found.push(...(await resolveBootstrap(next, dns, depth - 1).catch(() => [])))
  }
  return found.slice(0, MAX_ADDRESSES)
}
