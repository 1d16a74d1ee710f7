/** Who is on the run's network, and where. All of it is fixed before anything starts; DHCP hands out the same addresses. */
export interface Participant {
  readonly name: string
  readonly address: string
  /** The harness's own address on its segment: what routes, where there is more than one. */
  readonly gateway: string
  /** The harness's end of its link, which its frames come through: a port of the bridge, or a segment of its own. */
  readonly port: string
}

export interface GuestPlace extends Participant {
  readonly mac: string
}

export const HARNESS_ADDRESS = '192.168.77.1'
export const PREFIX_LENGTH = 24
export const PROVIDER_PORT = 8080

/** In a routed network it has 192.168.77.0/24 to itself, and so the harness's address is the same in every network. */
export const ORIGIN: Participant = {
  ...{ name: 'origin', address: '192.168.77.2', gateway: HARNESS_ADDRESS, port: 'to-origin' },
}

/**
 * Guests are vm1, vm2, …; `number` is at most 99. The MAC is a locally administered one of QEMU's (52:54:00).
 * @param routed whether it has a segment of its own
 */
export function guestPlace(number: number, routed = false): GuestPlace {
  const octet = number.toString(16).padStart(2, '0')
  return {
    name: `vm${number}`,
    ...(routed ? onSegment(100 + number) : { address: `192.168.77.${10 + number}`, gateway: HARNESS_ADDRESS }),
    port: `tap${number}`,
    mac: `52:54:00:77:00:${octet}`,
  }
}

/** Somebody else, for tests: neither origin nor guest. @param number at most 50; `name` at most twelve letters */
export function bystanderPlace(name: string, number: number, routed = false): Participant {
  const where = routed ? onSegment(200 + number) : { address: `192.168.77.${200 + number}`, gateway: HARNESS_ADDRESS }
  return { name, ...where, port: `to-${name}` }
}

const onSegment = (third: number) => ({ address: `192.168.${third}.10`, gateway: `192.168.${third}.1` })
