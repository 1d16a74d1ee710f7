import { BlockList, isIP } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

/** A network interface that is up and has addresses, loopback left out. */
export interface Link {
  readonly name: string
  /** IPv6 link-local ones with their scope, `fe80::1%eth0`, which is what they are connected to and bound by. */
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
  readonly linkLocal: readonly string[]
  /** The subnets of its addresses. */
  readonly subnets: BlockList
}

export const ownLinks = (): readonly Link[] => linksIn(networkInterfaces())

/** Pure. @param interfaces as node:os tells them */
export function linksIn(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): readonly Link[] {
  return Object.entries(interfaces).flatMap(([name, infos = []]) => {
    const outside = infos.filter(({ internal }) => !internal)
    if (outside.length === 0) return []
    const subnets = new BlockList()
    for (const { address, family, cidr } of outside) {
      const [prefix = ''] = cidr?.split('/').slice(1) ?? []
      if (prefix) subnets.addSubnet(address, Number(prefix), family === 'IPv4' ? 'ipv4' : 'ipv6')
    }
    const v6 = outside.filter(({ family }) => family === 'IPv6').map(({ address }) => address)
    return [
      {
        name,
        ipv4: outside.filter(({ family }) => family === 'IPv4').map(({ address }) => address),
        ipv6: v6.filter((address) => !isLinkLocal(address)),
        linkLocal: v6.filter(isLinkLocal).map((address) => `${address}%${name}`),
        subnets,
      },
    ]
  })
}

/** fe80::/10 (RFC 4291, 2.5.6), with or without a scope. */
export const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address)

/** Whether an address is in a subnet of a link; one with a scope, on the link that the scope names. */
export function isOnLink({ name, subnets }: Link, address: string): boolean {
  const [bare = '', scope] = address.split('%')
  if (scope !== undefined) return scope === name
  const family = isIP(bare)
  // A link-local address says nothing without its link: it may be on any.
  if (family === 0 || (family === 6 && isLinkLocal(bare))) return false
  return subnets.check(bare, family === 4 ? 'ipv4' : 'ipv6')
}

/**
 * Whether an address is in a subnet of one of this machine's interfaces (or link-local), so that no router is between.
 * @param address IPv4 or IPv6, with or without a zone (`fe80::1%eth0`); a name is on none
 */
export function isOnOwnLink(address: string, interfaces = networkInterfaces()): boolean {
  if (isIP(address) === 0) return false
  if (isLinkLocal(address) || address.startsWith('169.254.')) return true
  return linksIn(interfaces).some((link) => isOnLink(link, address))
}
