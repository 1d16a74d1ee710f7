import { isIP } from 'node:net'
import { isLinkLocal } from './own-links.ts'
import { printable } from './printable.ts'
import { hostAndPort } from './url-host.ts'

/**
 * Why an advertised address cannot be another machine's provider.
 * @param address IPv4, IPv6, or IPv6 link-local with its scope
 * @param own this machine's addresses
 * @returns undefined when it can
 */
export function addressProblem(address: string, port: number, own: ReadonlySet<string>): string | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 65535) return `port ${port} is not a port`
  const family = isIP(address)
  if (family === 0) return `${printable(address, 64)} is not an address`
  const kind = family === 4 ? unusableV4(address) : unusableV6(address)
  if (kind) return `${address} is ${kind}`
  if (own.has(address)) return `${address} is this machine itself`
  return undefined
}

function unusableV4(address: string): string | undefined {
  const first = Number(address.split('.', 1)[0])
  if (first === 0) return 'an unspecified address'
  if (first === 127) return 'a loopback address'
  if (first >= 224 && first <= 239) return 'a multicast address'
  return first >= 240 ? 'a reserved or broadcast address' : undefined
}

/** RFC 4291, 2.4. IPv4 addresses in IPv6's clothes would go around what is said of them above. */
function unusableV6(address: string): string | undefined {
  const [bare = ''] = address.toLowerCase().split('%')
  if (bare === '::') return 'an unspecified address'
  if (bare === '::1') return 'a loopback address'
  if (bare.startsWith('ff')) return 'a multicast address'
  if (bare.startsWith('::')) return 'an IPv4 address in disguise'
  return isLinkLocal(bare) && !address.includes('%') ? 'a link-local address without its link' : undefined
}

/**
 * Why the base URL of a record cannot be another machine's provider: it has to name an address, so that nobody is sent where a name leads.
 * @returns undefined when it can
 */
export function urlProblem(url: string, own: ReadonlySet<string>): string | undefined {
  const { host, port } = hostAndPort(new URL(url))
  return isIP(host) === 0 ? `${host} is a name, and no address` : hostProblem(host, port, own)
}

function hostProblem(host: string, port: number, own: ReadonlySet<string>): string | undefined {
  // WHATWG's URL writes an IPv6 address in its shortest form, and one that holds an IPv4 address in hexadecimal.
  if (host === '::' || host === '::1' || /^::(ffff:)?[0-9a-f]{1,4}:[0-9a-f]{1,4}$/.test(host))
    return `${host} is no address of another machine`
  return addressProblem(host, port, own)
}
