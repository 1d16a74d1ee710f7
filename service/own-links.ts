import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/**
 * Whether an address is in a subnet of one of this machine's interfaces (or link-local), so that no router is between.
 * @param address IPv4 or IPv6, with or without a zone (`fe80::1%eth0`)
 */
export function isOnOwnLink(address: string, interfaces = networkInterfaces()): boolean {
  const bare = address.replace(/%.*$/, '')
  const family = isIPv6(bare) ? 'ipv6' : 'ipv4'
  const links = new BlockList()
  links.addSubnet('fe80::', 10, 'ipv6')
  links.addSubnet('169.254.0.0', 16, 'ipv4')
  for (const { cidr, internal } of Object.values(interfaces).flatMap((addresses) => addresses ?? [])) {
    const [network, prefix] = cidr?.split('/') ?? []
    // A prefix of all bits is a point-to-point address: nobody else is in it.
    if (internal || network === undefined) continue
    links.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4')
  }
  return links.check(bare, family)
}
