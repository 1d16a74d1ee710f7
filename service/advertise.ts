import { networkInterfaces } from 'node:os'
import type { Arch } from './arch.ts'
import { PlasmError } from './errors.ts'

/** DNS-SD service type of providers (INTEROP: discovery); ciao adds the underscores and the protocol. */
const SERVICE_TYPE = 'phase-image'

export interface Advertisement {
  /** Instance name, `plasmd-<host name>`. */
  readonly name: string
  /** Without domain; unique on the link. */
  readonly hostname: string
  readonly port: number
  readonly channel: string
  readonly arch: Arch
  readonly version: string
  /** More TXT entries: `sequence`, `generation`, `machine` … */
  readonly txt?: Readonly<Record<string, string>>
  /** Only this address; by default all of every interface that is up. */
  readonly address?: string
}

export interface Advertiser {
  /** Says goodbye (RFC 6762, section 10.1) and stops answering. */
  stop(): Promise<void>
}

/**
 * Advertises a provider by mDNS: probed for conflicts, then announced (RFC 6762, section 8); resolves once announced.
 * @throws PlasmError `no-network` when no interface is up
 */
export async function advertise(ad: Advertisement): Promise<Advertiser> {
  const interfaces = interfacesOf(ad.address)
  if (interfaces.length === 0) {
    throw new PlasmError('no-network', 'no network interface to advertise on', {
      facts: { address: ad.address ?? null },
      hint: 'bring an interface up, or serve with --no-mdns',
    })
  }
  const { getResponder } = await import('@homebridge/ciao')
  // Named interfaces keep ciao from asking `ip` for them.
  const responder = getResponder({ interface: interfaces })
  const service = responder.createService({
    name: ad.name,
    hostname: ad.hostname,
    type: SERVICE_TYPE,
    port: ad.port,
    txt: { channel: ad.channel, arch: ad.arch, version: ad.version, http_port: String(ad.port), ...ad.txt },
    ...(ad.address === undefined ? {} : { restrictedAddresses: [ad.address] }),
  })
  try {
    await service.advertise()
  } catch (cause) {
    await responder.shutdown().catch(() => undefined)
    throw new PlasmError('advertise-failed', `mDNS does not work here: ${(cause as Error).message}`, {
      cause,
      hint: 'check that UDP port 5353 and multicast are allowed, or serve with --no-mdns',
    })
  }
  return {
    async stop() {
      await service.end()
      await responder.shutdown()
    },
  }
}

function interfacesOf(address: string | undefined): string[] {
  return Object.entries(networkInterfaces())
    .filter(([, addresses]) =>
      addresses?.some((entry) => !entry.internal && (address === undefined || entry.address === address)),
    )
    .map(([name]) => name)
}
