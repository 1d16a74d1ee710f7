import { setTimeout as sleep } from 'node:timers/promises'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { ownAddresses } from '../service/own-addresses.ts'
import type { Served } from './served.ts'

/** DHCP runs beside the agent; a machine without an address has nobody to tell. */
const ADDRESS_WITHIN_MS = 60_000
const LOOK_EVERY_MS = 100

/** service/advertise.ts `advertise`, or what stands in for it where no multicast may go out. */
export type Advertise = (service: {
  name: string
  hostname: string
  port: number
  channel: string
  arch: Arch
  version: string
  txt: Record<string, string>
}) => Promise<{ stop(): Promise<void> }>

export interface Advertised {
  readonly address: string
  /** Says goodbye. */
  stop(): Promise<void>
}

/**
 * Tells the link what is served here (INTEROP: discovery). What it says is a hint: clients rank by verified manifests.
 * @throws PlasmError `no-address` | `stopped`
 */
export async function advertiseSet(
  link: { readonly advertise: Advertise; readonly address: () => string | undefined },
  { set, record }: Served,
  port: number,
  stop: AbortSignal,
): Promise<Advertised> {
  const address = await awaitAddress(link.address, stop)
  const { machine, generation } = record
  const { channel, arch, version, sequence } = set.verified.manifest
  const advertisement = await link.advertise({
    name: `plasmd-${machine}`,
    hostname: machine,
    port,
    channel,
    arch,
    version,
    txt: { generation: String(generation), sequence: String(sequence), machine },
  })
  return { address, stop: () => advertisement.stop() }
}

async function awaitAddress(address: () => string | undefined, stop: AbortSignal): Promise<string> {
  for (let waited = 0; waited < ADDRESS_WITHIN_MS; waited += LOOK_EVERY_MS) {
    const found = address()
    if (found) return found
    if (stop.aborted) throw new PlasmError('stopped', 'the agent was asked to stop')
    await sleep(LOOK_EVERY_MS)
  }
  throw new PlasmError('no-address', 'this machine has no IPv4 address', {
    hint: 'look whether its interface is up and a DHCP server answers (docs/network.md)',
  })
}

/** The first IPv4 address that others can reach, or undefined. */
export const firstAddress = (): string | undefined => ownAddresses().values().next().value

export const mdns: Advertise = async (service) => {
  const { advertise } = await import('../service/advertise.ts')
  // The machine is named after its own MAC (machine-name.ts).
  return advertise({ ...service, namesAreOurs: true })
}
