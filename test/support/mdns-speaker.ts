import { execFileSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { decode } from 'dns-packet'
import { SERVICE } from '../../service/dns-sd.ts'

const PORT = 5353
const GROUP = '224.0.0.251'
const FIRST = '10.77.0.1'

/** An address of this end of a link pair (two-networks.sh), which it is given where it does not have it. */
function haveAddress(address: string): void {
  if (address !== FIRST) execFileSync('ip', ['address', 'add', `${address}/24`, 'dev', 'far'])
}

/** Sends any packet from any address of the far end of a link pair. */
export function createSpeaker() {
  const sockets = new Map<string, Socket>()
  const socketOf = async (address: string): Promise<Socket> => {
    const known = sockets.get(address)
    if (known) return known
    haveAddress(address)
    const socket = createSocket({ type: 'udp4', reuseAddr: true }).bind(PORT, address)
    await once(socket, 'listening')
    socket.setMulticastInterface(address)
    socket.setMulticastTTL(255)
    sockets.set(address, socket)
    return socket
  }
  return {
    /** Makes the first packet from an address go out without delay. */
    open: async (from: string) => void (await socketOf(from)),
    /** @param to everybody, or one address */
    async send(packet: Buffer, from = FIRST, to = GROUP): Promise<void> {
      const socket = await socketOf(from)
      await new Promise<void>((sent) => socket.send(packet, PORT, to, () => sent()))
    },
  }
}

/** Calls back with the address of each who asks for providers. */
export async function whenAsked(answer: (asker: string) => void): Promise<void> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true }).bind(PORT, GROUP)
  await once(socket, 'listening')
  socket.addMembership(GROUP, FIRST)
  socket.on('message', (bytes, { address }) => {
    const { type, questions = [] } = decode(bytes)
    if (type === 'query' && questions.some(({ name }) => name === SERVICE)) answer(address)
  })
}
