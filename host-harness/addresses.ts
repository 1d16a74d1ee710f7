/** Who is on the run's network, and where. All of it is fixed before anything starts; DHCP hands out the same addresses. */
export interface Participant {
  readonly name: string
  readonly address: string
  /** The bridge port that its frames come through. */
  readonly port: string
}

export interface GuestPlace extends Participant {
  readonly mac: string
}

export const HARNESS_ADDRESS = '192.168.77.1'
export const PREFIX_LENGTH = 24
export const PROVIDER_PORT = 8080

export const ORIGIN: Participant = { name: 'origin', address: '192.168.77.2', port: 'to-origin' }

/** Guests are vm1, vm2, …; `number` is at most 99. The MAC is a locally administered one of QEMU's (52:54:00). */
export function guestPlace(number: number): GuestPlace {
  const octet = number.toString(16).padStart(2, '0')
  return {
    name: `vm${number}`,
    address: `192.168.77.${10 + number}`,
    port: `tap${number}`,
    mac: `52:54:00:77:00:${octet}`,
  }
}
