/** An address as a URL has it: IPv6 in brackets (RFC 3986, 3.2.2). */
export const hostInUrl = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** Host and TCP port of an http URL, as they are connected to: IPv6 without its brackets. */
export function hostAndPort({ hostname, port }: Pick<URL, 'hostname' | 'port'>): { host: string; port: number } {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) }
}
