import { setTimeout as sleep } from 'node:timers/promises'
import type { Arch } from '../service/arch.ts'
import { PlasmError } from '../service/errors.ts'
import { identityTxt } from '../service/identity-txt.ts'
import { ownAddresses } from '../service/own-addresses.ts'
import { runningTransfers } from './plasmd-probe.ts'
import type { Served } from './served.ts'

/** DHCP runs beside the agent; a machine without an address has nobody to tell. */
const ADDRESS_WITHIN_MS = 60_000
/** IPv6 addresses are there before DHCP has answered: one of them is what counts where it does not. */
const IPV4_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 100
/** Each change of the load is a packet to everybody. */
const LOAD_EVERY_MS = 30_000

/** service/advertise.ts `advertise`, or what stands in for it where no multicast may go out. */
export type Advertise = (service: {
  name: string
  hostname: string
  port: number
  channel: string
  arch: Arch
  version: string
  txt: Record<string, string>
  ipv6: boolean
}) => Promise<{ update?(txt: Readonly<Record<string, string>>): void; stop(): Promise<void> }>

export interface Advertised {
  readonly address: string
  /** Says goodbye. */
  stop(): Promise<void>
}

/** Where what is served can be asked for. */
export interface Offered {
  readonly port: number
  /** Whether by IPv6 too. */
  readonly ipv6: boolean
  /** TCP port of this machine's DHT node, where it has one. */
  readonly dhtPort?: number
}

/**
 * Tells the link what is served here (INTEROP: discovery). What it says is a hint: clients rank by verified manifests.
 * @throws PlasmError `no-address` | `stopped`
 */
export async function advertiseSet(
  link: { readonly advertise: Advertise; readonly address: () => string | undefined },
  { set, record }: Served,
  { port, ipv6, dhtPort }: Offered,
  stop: AbortSignal,
  loadEveryMs = LOAD_EVERY_MS,
): Promise<Advertised> {
  const address = await awaitAddress(link.address, ipv6, stop)
  const { machine, generation, peerId } = record
  const { channel, arch, version, sequence } = set.verified.manifest
  const txt = {
    generation: String(generation),
    sequence: String(sequence),
    machine,
    ...identityTxt({ peerId, manifestDigest: set.verified.digest, dhtPort }),
  }
  const advertisement = await link.advertise({
    name: `plasmd-${machine}`,
    hostname: machine,
    port,
    channel,
    arch,
    version,
    txt: { ...txt, load: '0' },
    ipv6,
  })
  const tell = (load: number) => advertisement.update?.({ ...txt, load: String(load) })
  const endLoad = followLoad(port, loadEveryMs, tell)
  return {
    address,
    stop() {
      endLoad()
      return advertisement.stop()
    },
  }
}

/** Asks plasmd now and then how busy it is, and tells what has changed. @returns ends it */
function followLoad(port: number, everyMs: number, tell: (load: number) => void): () => void {
  let told = 0
  let ended = false
  const timer = setInterval(async () => {
    const load = await runningTransfers(`http://127.0.0.1:${port}`)
    if (ended || load === undefined || load === told) return
    told = load
    tell(load)
  }, everyMs)
  timer.unref()
  return () => {
    ended = true
    clearInterval(timer)
  }
}

async function awaitAddress(address: () => string | undefined, ipv6: boolean, stop: AbortSignal): Promise<string> {
  for (let waited = 0; waited < ADDRESS_WITHIN_MS; waited += LOOK_EVERY_MS) {
    const found = address()
    const fits = found !== undefined && (!found.includes(':') || (ipv6 && waited >= IPV4_WITHIN_MS))
    if (fits) return found
    if (stop.aborted) throw new PlasmError('stopped', 'the agent was asked to stop')
    await sleep(LOOK_EVERY_MS)
  }
  throw new PlasmError('no-address', `this machine has no ${ipv6 ? '' : 'IPv4 '}address`, {
    hint: 'look whether its interface is up and a DHCP server answers (docs/network.md)',
  })
}

/** The first address that others can reach: IPv4 where there is any, IPv6 link-local only where there is nothing else. */
export const firstAddress = (): string | undefined => ownAddresses().values().next().value

export const mdns: Advertise = async (service) => {
  const { advertise } = await import('../service/advertise.ts')
  // The machine is named after its own MAC (machine-name.ts).
  return advertise({ ...service, namesAreOurs: true })
}
