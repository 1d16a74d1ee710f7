import { isLinkLocal, ownLinks } from './own-links.ts'

/**
 * This machine's addresses, loopback left out: IPv4, then IPv6, then the IPv6 link-local ones with their scope (`fe80::1%eth0`), which
 * are there before anybody has given the machine an address.
 */
export function ownAddresses(): ReadonlySet<string> {
  const links = ownLinks()
  return new Set([
    ...links.flatMap(({ ipv4 }) => ipv4),
    ...links.flatMap(({ ipv6 }) => ipv6),
    ...links.flatMap(({ linkLocal }) => linkLocal),
  ])
}

/** Whether somebody has given this machine an address, beside those that its interfaces make for themselves. */
export const hasGivenAddress = (own: ReadonlySet<string>): boolean => [...own].some((address) => !isLinkLocal(address))
