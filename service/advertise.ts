import { networkInterfaces } from 'node:os'
import type { CiaoService, Responder } from '@homebridge/ciao'
import type { Arch } from './arch.ts'
import { PlasmError } from './errors.ts'
import { hostLabel } from './host-label.ts'

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
  /** Advertise these addresses of this machine only; all IPv4 addresses where absent. */
  readonly addresses?: readonly string[]
  /** The names are derived from this machine's own MAC, so they need no probing: saves 0.75 to 1 s. */
  readonly namesAreOurs?: boolean
}

export interface Advertisement {
  /** Says goodbye (RFC 6762, 10.1). */
  stop(): Promise<void>
}

/**
 * Advertises one boot set by mDNS and DNS-SD, and answers queries until stopped. Resolves when its first announcement goes out.
 * @throws PlasmError `mdns-unavailable` when no announcement could be made in time
 */
export async function advertise(ad: Ad): Promise<Advertisement> {
  const { getResponder } = await import('@homebridge/ciao')
  // Only IPv4: that is where plasmd listens, and a record of an address where nobody listens costs a client its timeout.
  const interfaces = ownInterfaces()
  const responder = getResponder({ ...(interfaces ? { interface: [...interfaces] } : {}), disableIpv6: true })
  const places = ad.addresses ?? interfaces
  const service = responder.createService({
    name: ad.name,
    type: SERVICE_TYPE,
    hostname: hostLabel(ad.hostname),
    port: ad.port,
    disabledIpv6: true,
    txt: { channel: ad.channel, arch: ad.arch, version: ad.version, http_port: String(ad.port), ...ad.txt },
    // ciao listens on loopback in any case; announcing 127.0.0.1 there would only list each provider twice.
    ...(places ? { restrictedAddresses: [...places] } : {}),
  })
  // ciao warns on the console when nobody listens; the new name is in the records, which is where clients look.
  service.on('name-change' as never, () => {})
  if (ad.namesAreOurs) skipProbing(responder, service)
  const stop = async () => {
    await within(GOODBYE_WITHIN_MS, service.destroy()).catch(() => {})
    await within(GOODBYE_WITHIN_MS, responder.shutdown()).catch(() => {})
  }
  try {
    await within(ANNOUNCED_WITHIN_MS, service.advertise())
  } catch (cause) {
    await stop()
    throw new PlasmError('mdns-unavailable', `cannot advertise by mDNS: ${(cause as Error).message}`, {
      facts: { name: ad.name, port: ad.port },
      hint: 'look whether an interface with an IPv4 address allows multicast on UDP port 5353',
      cause,
    })
  }
  return { stop }
}

/**
 * Names the interfaces that have an IPv4 address, so that ciao does not run `ip` in a shell, now and every 15 s, to find
 * them: a guest may have neither, and a fork is dear there. (It looks for a loopback interface when told names, and fails without.)
 */
function ownInterfaces(): readonly string[] | undefined {
  const all = Object.entries(networkInterfaces())
  const outside = all.filter(([, addresses]) =>
    addresses?.some(({ family, internal }) => family === 'IPv4' && !internal),
  )
  const hasLoopback = all.some(([, addresses]) => addresses?.some(({ internal }) => internal))
  return hasLoopback && outside.length > 0 ? outside.map(([name]) => name) : undefined
}

/**
 * A responder that knows by other means that a name cannot be in use should not probe for it (RFC 6762, 8.1). ciao has no
 * switch for that, so its first probe for this service is answered here; were somebody to claim the name after all, the
 * conflict is found by the announcement (section 9) and ciao's own probing runs.
 */
function skipProbing(responder: Responder, service: CiaoService): void {
  const internals = responder as unknown as { probe: (candidate: CiaoService) => Promise<void> }
  const probe = internals.probe.bind(responder)
  let skipped = false
  internals.probe = async (candidate) => {
    if (candidate !== service || skipped) return probe(candidate)
    skipped = true
    candidate.serviceState = 'probed' as never
  }
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing went out within ${milliseconds} ms`)), milliseconds)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
