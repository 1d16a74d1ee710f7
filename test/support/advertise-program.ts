import { advertise } from '../../service/advertise.ts'
import { hostArch } from '../../service/arch.ts'

/** Advertises one provider until killed, with IPV6=1 by both families. Arguments: machine, port, channel, then more TXT pairs as key=value. */
const [machine, port, channel, ...pairs] = process.argv.slice(2)
const txt = Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string]))
await advertise({
  name: `plasmd-${machine}`,
  hostname: machine!,
  port: Number(port),
  channel: channel!,
  arch: hostArch(),
  version: '0.1.0',
  txt: { machine: machine!, ...txt },
  ipv6: process.env.IPV6 === '1',
})
console.log('advertised')
