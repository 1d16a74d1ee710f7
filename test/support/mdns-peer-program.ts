import { setTimeout as sleep } from 'node:timers/promises'
import { announcement, MALFORMED, type Told } from './mdns-packets.ts'
import { createSpeaker } from './mdns-speaker.ts'

/**
 * A neighbour that speaks mDNS by none of its rules: sends what it is told to, again and again, until it is killed. Argument: a
 * {@link Speech} as JSON. Prints a line when it begins.
 */
export interface Speech {
  /** Sent in this order, from these addresses (10.77.0.1 where none is named). */
  readonly packets: ReadonlyArray<
    | (Told & { readonly from?: string; readonly afterMs?: number })
    | { readonly malformed: string }
    /** So many providers that are none, in turn from so many addresses: 10.77.0.100 and those after it; one, from 10.77.0.1, where there is none. */
    | { readonly bogus: number; readonly senders?: number }
  >
  /** ms; 0: only once. */
  readonly every: number
}

const { packets, every } = JSON.parse(process.argv[2]!) as Speech
const { send } = createSpeaker()

console.log('speaking')
for (;;) {
  for (const packet of packets) {
    if ('malformed' in packet) await send(MALFORMED[packet.malformed]!)
    else if ('bogus' in packet) {
      for (let index = 0; index < packet.bogus; index += 1) {
        const told = { label: `bogus-${index}`, host: `bogus-${index}`, address: `10.77.0.${100 + (index % 100)}` }
        await send(announcement(told), packet.senders ? `10.77.0.${100 + (index % packet.senders)}` : undefined)
      }
    } else {
      await sleep(packet.afterMs ?? 0)
      await send(announcement(packet), packet.from)
    }
  }
  if (every === 0) break
  await sleep(every)
}
await sleep(60_000)
