import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasGivenAddress, ownAddresses } from '../service/own-addresses.ts'
import type { EventSink } from './steps.ts'

/** init/udhcpc.script writes there, once, when DHCP first answers: seconds since this kernel started. */
const NETWORK_UP_FILE = '/run/plasm/network-up'
const LOOK_EVERY_MS = 50

export interface NetworkUpParts {
  readonly addresses?: () => ReadonlySet<string>
  readonly file?: string
  readonly signal?: AbortSignal | undefined
}

/** Waits until somebody has given this machine an address, and tells so once, with the time: what discovery takes counts from then. */
export async function tellNetworkUp(
  emit: EventSink,
  { addresses = ownAddresses, file = NETWORK_UP_FILE, signal }: NetworkUpParts = {},
): Promise<void> {
  while (!signal?.aborted) {
    const found = addresses()
    if (hasGivenAddress(found)) {
      return emit({ type: 'network-up', addresses: [...found], uptime: secondsIn(file) ?? uptime() })
    }
    await sleep(LOOK_EVERY_MS, undefined, { ref: false })
  }
}

const uptime = () => secondsIn('/proc/uptime')!

/** The first number of a file; undefined where there is none, as under an init of somebody else's. */
function secondsIn(file: string): number | undefined {
  try {
    const seconds = Number.parseFloat(readFileSync(file, 'latin1'))
    return Number.isFinite(seconds) ? seconds : undefined
  } catch {
    return undefined
  }
}
