import { uptime } from 'node:os'
import type { ServiceInstance } from '../service/dns-sd.ts'
import { type BrowseCounts, browseLinks } from '../service/mdns-browse.ts'
import { hasGivenAddress } from '../service/own-addresses.ts'
import { hostAndPort } from '../service/url-host.ts'
import type { Candidate } from './candidate.ts'
import type { AgentConfig } from './config.ts'
import { judgeInstance } from './judge-instance.ts'
import type { Source } from './source.ts'
import { tellApart } from './tell-apart.ts'
import { createToldPlaces } from './told-places.ts'

/**
 * How long after its start a program waits for an address of this machine before it connects by IPv6 link-local addresses, which are
 * there at once: DHCP runs beside the fetch stage. Less than discovery takes to give up.
 */
const GIVEN_WITHIN_SECONDS = 8
/** Of the system: where it has run for longer nobody will bring an address all of a sudden. */
const YOUNG_SECONDS = 60
/** What else a provider has for addresses may come in the next packet. */
const REST_WITHIN_MS = 500
const LOOK_AGAIN_EVERY_MS = 100
const MOVED = 'it is somewhere else now'
/**
 * What changes more often in one look stays as it is: each change is an event for people, for reports and for the boot record, and
 * anybody can make them. A busy provider's load changes once in half a minute.
 */
const MOST_CHANGES = 16

/**
 * Those who advertise themselves on this machine's links. One that says goodbye, or whose records end, is told of as rejected.
 * @param addresses whose links are browsed
 * @param counts of what came that was no use, kept up to date
 */
export function linkProviders(
  config: Pick<AgentConfig, 'channel' | 'arch' | 'mode'>,
  addresses: () => ReadonlySet<string>,
  counts?: BrowseCounts,
): Source {
  return async (consider, signal) => {
    const present = new Map<string, { readonly instance: ServiceInstance; readonly at: number }>()
    const waiting = new Set<string>()
    const told = createToldPlaces(consider)
    const changes = new Map<string, number>()
    const isOneTooMany = ({ label }: ServiceInstance): boolean => {
      const count = (changes.get(label) ?? 0) + 1
      changes.set(label, count)
      return count > MOST_CHANGES
    }
    const judge = (label: string) => {
      const known = present.get(label)
      if (!known) return
      const own = addresses()
      const judged = tellApart(judgeInstance(known.instance, config, own), told.ofOthers(label))
      const early = hasGivenAddress(own)
        ? performance.now() - known.at < REST_WITHIN_MS
        : process.uptime() < GIVEN_WITHIN_SECONDS && uptime() < YOUNG_SECONDS
      if (judged.reach !== undefined && !('reason' in judged) && early) return void waiting.add(label)
      waiting.delete(label)
      if ('reason' in judged) return told.update(label, () => [judged], judged.reason)
      // One of several addresses may have been the best for a time.
      const isOther = (one: Candidate) => one.url !== judged.url && isStillAt(known.instance, one)
      told.update(label, (before) => [...before.filter(isOther), judged], MOVED)
    }
    const looking = setInterval(() => [...waiting].forEach(judge), LOOK_AGAIN_EVERY_MS)
    await browseLinks({
      addresses,
      onFound(instance) {
        if (isOneTooMany(instance)) return
        present.set(instance.label, { instance, at: present.get(instance.label)?.at ?? performance.now() })
        judge(instance.label)
      },
      onGone(instance, why) {
        for (const those of [present, waiting]) those.delete(instance.label)
        told.update(instance.label, () => [], why)
      },
      signal,
      ...(counts ? { counts } : {}),
    })
    clearInterval(looking)
  }
}

/** Of several addresses another one may be the best by now: that leaves those that were told good. */
function isStillAt({ addresses, port }: ServiceInstance, { url, reach }: Candidate): boolean {
  const place = hostAndPort(new URL(url))
  return addresses.includes(reach ?? place.host) && port === place.port
}
