import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceInstance } from './dns-sd.ts'
import { browseLinks } from './mdns-browse.ts'
import { ownAddresses } from './own-addresses.ts'
import { printable } from './printable.ts'
import { bestAddress, placeOf } from './provider-place.ts'

export interface FoundProvider {
  readonly url: string
  readonly name: string
  readonly channel: string
  readonly arch: string
  readonly version: string | null
  /** Null where it does not say, as with the two after it. */
  readonly sequence: number | null
  /** How many boots away from an origin. */
  readonly generation: number | null
  /** Transfers that ran when it told last, some time ago. */
  readonly load: number | null
  /** How it was found. */
  readonly source: 'mdns'
  /** To be connected to instead of the URL's host: an IPv6 link-local address with its interface, which no URL can hold. */
  readonly reach?: string
}

/** Long enough for the second query's answers (RFC 6762, 5.2: one second after the first). */
const LISTEN_MS = 1_500

/** Every provider that answers on this machine's links, as they advertise themselves, in the order of their URLs. */
export async function browse(): Promise<readonly FoundProvider[]> {
  const found = new Map<string, FoundProvider>()
  const stop = new AbortController()
  const browsing = browseLinks({
    addresses: ownAddresses,
    onFound: (instance) => found.set(instance.label, describe(instance)),
    onGone: ({ label }) => found.delete(label),
    signal: stop.signal,
  })
  await sleep(LISTEN_MS)
  stop.abort()
  await browsing
  return [...found.values()].sort((a, b) => a.url.localeCompare(b.url))
}

function describe({ label, target, port, addresses, sender, txt }: ServiceInstance): FoundProvider {
  return {
    ...placeOf(target, port, bestAddress(addresses, sender)!),
    name: printable(label),
    channel: printable(txt.get('channel') ?? '?'),
    arch: printable(txt.get('arch') ?? '?'),
    version: txt.has('version') ? printable(txt.get('version')!) : null,
    sequence: countIn(txt.get('sequence')),
    generation: countIn(txt.get('generation')),
    load: countIn(txt.get('load')),
    source: 'mdns',
  }
}

/** What is no count is not told: anybody on the link can send it. */
const countIn = (text: string | undefined) => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : null)
