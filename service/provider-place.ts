import { hostLabel } from './host-label.ts'
import { isLinkLocal } from './own-links.ts'

/**
 * The addresses of an advertised host, the best to connect to first: IPv4 before IPv6, and link-local IPv6 last, which needs its
 * interface named; of those that are alike, the one that the answer came from, which certainly reaches us.
 */
export function bestFirst(addresses: readonly string[], sender: string): readonly string[] {
  const worth = (address: string) => (isLinkLocal(address) ? 4 : address.includes(':') ? 2 : 0)
  const key = (address: string) => worth(address) + (isLoopback(address) ? 8 : 0) + (address === sender ? 0 : 1)
  return [...addresses].sort((a, b) => key(a) - key(b))
}

export const bestAddress = (addresses: readonly string[], sender: string): string | undefined =>
  bestFirst(addresses, sender)[0]

/** A provider on this machine may answer on loopback, which is no address to tell anybody. */
const isLoopback = (address: string) => address.startsWith('127.') || address === '::1'

/**
 * A provider's base URL; and where its address is one that no URL can hold (RFC 6874 is not in WHATWG's), a name in its stead, and
 * the address to reach it by.
 * @param target the host's name, as it was advertised
 */
export function placeOf(target: string, port: number, address: string): { url: string; reach?: string } {
  if (!address.includes(':')) return { url: `http://${address}:${port}` }
  if (!isLinkLocal(address)) return { url: `http://[${address}]:${port}` }
  return { url: `http://${hostLabel(target.split('.')[0] ?? '')}.local:${port}`, reach: address }
}
