import { setTimeout as sleep } from 'node:timers/promises'
import { advertise } from '../../service/advertise.ts'
import { hostArch } from '../../service/arch.ts'
import { announcement } from './mdns-packets.ts'
import { createSpeaker } from './mdns-speaker.ts'

/**
 * An advertisement by mDNS, and somebody else who says goodbye for all of its records, again and again, until killed. Argument: `same`,
 * with what is in them, or `other`, with another TXT record, which is a conflict (RFC 6762, 9). Prints a line when it begins.
 */
const FORGER = '10.77.0.66'
const { open, send } = createSpeaker()
await open(FORGER)
const [what] = process.argv.slice(2)
const [machine, arch, version, generation] = ['plasm-aaaaaa', hostArch(), '0.1.0', '1']
const name = `plasmd-${machine}`
await advertise({ name, hostname: machine, port: 8080, channel: 'stable', arch, version, txt: { machine, generation } })
// By then it has announced itself as often as it does by itself.
await sleep(5_000)
console.log('advertised')
await sleep(1_500)
const txt = what === 'same' ? { arch, version, http_port: '8080', machine, generation } : {}
const farewell = announcement({ label: name, host: machine, address: '10.77.0.1', txt, ttl: 0 })
for (;;) {
  await send(farewell, FORGER)
  await sleep(700)
}
