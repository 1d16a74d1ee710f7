import { networkInterfaces } from 'node:os'

/** This machine's IPv4 addresses, loopback left out. Empty until DHCP has answered. */
export function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return new Set(all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address))
}
