import { networkInterfaces } from 'node:os'
import type { Arch } from './arch.ts'
import { insideResponder, insideService } from './ciao-internals.ts'
import { mendIpv6 } from './ciao-ipv6.ts'
import { followLinks } from './ciao-links.ts'
import { mendHostNames, skipProbing } from './ciao-names.ts'
import { PlasmError } from './errors.ts'
import { hostLabel } from './host-label.ts'
import { ownLinks } from './own-links.ts'

/** INTEROP: discovery. ciao adds the underscore. */
const SERVICE_TYPE = 'phase-image'
/** Probing takes at most a second (RFC 6762, 8.1), a conflict a few more. */
const ANNOUNCED_WITHIN_MS = 15_000
const GOODBYE_WITHIN_MS = 1000

export interface Ad {
  /** Instance name, `plasmd-<hostname>`: what a person sees in a browser. Renamed to `… (2)` when somebody has it. */
  readonly name: string
  /** Host name of the address records, without `.local`; must be this advertisement's alone on the link. */
  readonly hostname: string
  readonly port: number
  readonly channel: string
  readonly arch: Arch
  readonly version: string
  /** More TXT keys. */
  readonly txt?: Readonly<Record<string, string>>
  /** Whether the port is served by IPv6 too: a record of an address where nobody listens costs a client its timeout. */
  readonly ipv6?: boolean
  /** Advertise these addresses of this machine only; all of them where absent. */
  readonly addresses?: readonly string[]
  /** The names are derived from this machine's own MAC, so they need no probing: saves 0.75 to 1 s. */
  readonly namesAreOurs?: boolean
  /** Told of the name that it has when somebody else has the one that it was to have. */
  readonly onRenamed?: (name: string) => void
}

export interface Advertisement {
  /** Tells other TXT keys than `Ad.txt` from now on. */
  update(txt: Readonly<Record<string, string>>): void
  /** Says goodbye (RFC 6762, 10.1). */
  stop(): Promise<void>
}

/**
 * Advertises one boot set by mDNS and DNS-SD on every link, as links come and go, and answers queries until stopped. Resolves when
 * its first announcement goes out.
 * @throws PlasmError `mdns-unavailable` when no announcement could be made in time
 */
export async function advertise(ad: Ad): Promise<Advertisement> {
  const { getResponder } = await import('@homebridge/ciao')
  const { ipv6 = false } = ad
  const names = namesToGive(ipv6)
  const responder = getResponder({
    ...(names ? { interface: [...names] } : {}),
    ...(ipv6 ? { advertiseIpv6: true } : { disableIpv6: true }),
  })
  const places = ad.addresses ?? names
  const allTxt = (more: Readonly<Record<string, string>> | undefined) => ({
    channel: ad.channel,
    arch: ad.arch,
    version: ad.version,
    http_port: String(ad.port),
    ...more,
  })
  const service = responder.createService({
    name: ad.name,
    type: SERVICE_TYPE,
    hostname: hostLabel(ad.hostname),
    port: ad.port,
    disabledIpv6: !ipv6,
    txt: allTxt(ad.txt),
    // ciao listens on loopback in any case; announcing 127.0.0.1 there would only list each provider twice.
    ...(places ? { restrictedAddresses: [...places] } : {}),
  })
  // ciao warns on the console when nobody listens; the new name is in the records, which is where clients look.
  service.on('name-change' as never, (ad.onRenamed ?? (() => {})) as never)
  const inside = { responder: insideResponder(responder), service: insideService(service) }
  mendHostNames(inside.service)
  if (ipv6) mendIpv6(inside.responder, inside.service)
  if (ad.namesAreOurs) skipProbing(inside.responder, inside.service)
  const unfollow =
    names && !ad.addresses ? followLinks(inside.responder, inside.service, () => linkAddresses(ipv6)) : undefined
  const stop = async () => {
    unfollow?.()
    await within(GOODBYE_WITHIN_MS, service.destroy()).catch(() => {})
    await within(GOODBYE_WITHIN_MS, responder.shutdown()).catch(() => {})
  }
  try {
    await within(ANNOUNCED_WITHIN_MS, service.advertise())
  } catch (cause) {
    await stop()
    throw new PlasmError('mdns-unavailable', `cannot advertise by mDNS: ${(cause as Error).message}`, {
      facts: { name: ad.name, port: ad.port },
      hint: 'look whether an interface with an address allows multicast on UDP port 5353',
      cause,
    })
  }
  return { update: (txt) => service.updateTxt(allTxt(txt)), stop }
}

/**
 * Names the interfaces, so that ciao does not run `ip` in a shell, now and every 15 s, to find them: a guest may have neither,
 * and a fork is dear there. (It looks for a loopback interface when told names, and fails without.) Where no link has an address yet
 * it begins on loopback: links are followed from then on.
 */
function namesToGive(ipv6: boolean): readonly string[] | undefined {
  const [loopback] = Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ internal }) => internal)) ?? []
  const names = [...linkAddresses(ipv6).keys()]
  return loopback === undefined ? undefined : names.length > 0 ? names : [loopback]
}

/** Only links with an address of a family that is advertised. By IPv6 ciao speaks from link-local addresses, as it should (RFC 6762, 15). */
function linkAddresses(ipv6: boolean): ReadonlyMap<string, string> {
  const states = ownLinks().map(({ name, ipv4, linkLocal, ipv6: global }) => ({
    name,
    addresses: ipv6 ? [...ipv4, ...linkLocal, ...(linkLocal.length > 0 ? global : [])] : ipv4,
  }))
  return new Map(
    states.filter(({ addresses }) => addresses.length > 0).map(({ name, addresses }) => [name, addresses.join(' ')]),
  )
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing went out within ${milliseconds} ms`)), milliseconds)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
