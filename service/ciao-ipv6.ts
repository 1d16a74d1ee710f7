import { createSocket } from 'node:dgram'
import type { ResponderInternals, ServiceInternals } from './ciao-internals.ts'

/** ciao's name for the IPv6 side of an interface. */
const SIDE = /\/6$/

/**
 * Makes ciao's IPv6 work where there are several interfaces. Its sockets join the group on the interface that the system happens to
 * choose, since the address alone does not say which (RFC 4007, 6), they take the packets of IPv4 and of every other interface
 * too, and a service that is kept to some interfaces is not told of on the IPv6 side of any. Before ciao binds, so at once.
 */
export function mendIpv6({ server }: ResponderInternals, service: ServiceInternals): void {
  const createIpv4 = server.createDgramSocket.bind(server)
  server.createDgramSocket = (name, reuseAddr, type) => {
    if (type !== 'udp6') return createIpv4(name, reuseAddr, type)
    const socket = createSocket({ type, reuseAddr: true, ipv6Only: true })
    const addMembership = socket.addMembership.bind(socket)
    const dropMembership = socket.dropMembership.bind(socket)
    return Object.assign(socket, {
      addMembership: (group: string) => addMembership(group, `::%${name}`),
      dropMembership: (group: string) => dropMembership(group, `::%${name}`),
    })
      .on('message', (data, from) => {
        const scope = from.address.split('%')[1]
        if (scope === undefined || scope === name) server.handleMessage(name, data, from, 'IPv6')
      })
      .on('error', () => {}) // an interface that just went: ciao-links.ts sees that
  }
  const advertisesOn = service.advertisesOnInterface.bind(service)
  service.advertisesOnInterface = (name, skipAddressCheck) => advertisesOn(name.replace(SIDE, ''), skipAddressCheck)
}
