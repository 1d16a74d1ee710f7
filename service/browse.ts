import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceInstance } from './dns-sd.ts'
import { browseLinks } from './mdns-browse.ts'
import { ownAddresses } from './own-addresses.ts'

export interface FoundProvider {
  readonly url: string
  readonly name: string
  readonly channel: string
  readonly arch: string
  readonly version: string | null
}

/** Long enough for the second query's answers (RFC 6762, 5.2: one second after the first). */
const LISTEN_MS = 1_500

/** Every provider that answers on this machine's links, as they advertise themselves, in the order of their URLs. */
export async function browse(): Promise<readonly FoundProvider[]> {
  const found = new Map<string, FoundProvider>()
  const stop = new AbortController()
  const browsing = browseLinks(ownAddresses, (instance) => found.set(instance.label, describe(instance)), stop.signal)
  await sleep(LISTEN_MS)
  stop.abort()
  await browsing
  return [...found.values()].sort((a, b) => a.url.localeCompare(b.url))
}

function describe({ label, port, addresses, sender, txt }: ServiceInstance): FoundProvider {
  // A provider on this machine may answer on loopback, which is no address to tell anybody.
  const reachable = [sender, ...addresses].filter((address) => addresses.includes(address))
  const address = reachable.find((candidate) => !candidate.startsWith('127.')) ?? reachable[0]
  return {
    url: `http://${address}:${port}`,
    name: label,
    channel: txt.get('channel') ?? '?',
    arch: txt.get('arch') ?? '?',
    version: txt.get('version') ?? null,
  }
}
