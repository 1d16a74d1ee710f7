import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceInstance } from './dns-sd.ts'
import type { FoundProvider } from './found-provider.ts'
import { browseLinks } from './mdns-browse.ts'
import { ownAddresses } from './own-addresses.ts'
import { printable } from './printable.ts'
import { bestAddress, placeOf } from './provider-place.ts'

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
  const text = (name: string) => (txt.has(name) ? printable(txt.get(name)!) : null)
  const count = (name: string) => countIn(txt.get(name))
  return {
    ...placeOf(target, port, bestAddress(addresses, sender)!),
    source: 'mdns',
    name: printable(label),
    channel: text('channel'),
    arch: text('arch'),
    claims: {
      generation: count('generation'),
      sequence: count('sequence'),
      version: text('version'),
      load: count('load'),
      set: text('set'),
      peerId: text('peer_id'),
    },
  }
}

/** What is no count is not told: anybody on the link can send it. */
const countIn = (text: string | undefined) => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : null)
