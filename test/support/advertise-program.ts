import { getResponder } from '@homebridge/ciao'
import { ownAddresses } from '../../agent/own-addresses.ts'

/**
 * Advertises one provider until killed.
 * Arguments: host name, instance, port, then TXT pairs as key=value.
 */
const [hostname, name, port, ...pairs] = process.argv.slice(2)
const txt = Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string]))
// ciao reads interface names from `ip link`, where a veth is called far@if2, and would leave it out: name the address.
const service = getResponder({ interface: [...ownAddresses()] }).createService({
  name: name!,
  type: 'phase-image',
  port: Number(port),
  txt,
  hostname: hostname!,
})
await service.advertise()
console.log('advertised')
