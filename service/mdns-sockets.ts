import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isLinkLocal, isOnLink, type Link } from './own-links.ts'

export const MDNS_PORT = 5353
const GROUP = { udp4: '224.0.0.251', udp6: 'ff02::fb' } as const
/** Multicast DNS is for one link, and every packet says so (RFC 6762, 11). */
const TTL = 255
/** An address that is only just there cannot be bound for a moment (RFC 4862, 5.4: duplicate address detection). */
const TRY_AGAIN_MS = 250

/** A packet from the link that it came on. */
export interface LinkPacket {
  readonly bytes: Buffer
  /** With its scope where it is link-local. */
  readonly sender: string
  readonly port: number
  readonly link: string
}

export interface MdnsSockets {
  /** Opens what is new and closes what is gone. */
  follow(links: readonly Link[]): void
  /** To everybody on every link. A send that fails (an interface just gone) is made up for by the next one. */
  send(packet: Buffer): void
  close(): void
}

interface Callbacks {
  onPacket(packet: LinkPacket): void
  /** A packet from an address that is on none of this machine's links (RFC 6762, 11). */
  onForeign(sender: string): void
  /** Another place was opened. @param send to everybody there; says whether the place is still open */
  onOpen(send: (packet: Buffer) => boolean): void
}

interface Place {
  readonly sockets: readonly Socket[]
  send(packet: Buffer): boolean
}

/**
 * The sockets to browse with. A link has two in each family, since a group is joined on one interface and there may be no
 * default route: one bound to the group's address hears what goes to all, one bound to the interface's own address asks, and
 * gets the answers that come by unicast, whoever else on this machine listens on the port (RFC 6762, 15).
 */
export function createMdnsSockets({ onPacket, onForeign, onOpen }: Callbacks): MdnsSockets {
  const places = new Map<string, Place | { readonly again: number }>()
  let links: readonly Link[] = []

  const take = (bytes: Buffer, { address: sender, port }: RemoteInfo, link: Link) =>
    onPacket({ bytes, sender, port, link: link.name })
  /** Linux gives what comes to a group to each of its sockets, on whichever interface it came: the sender tells the link. */
  const hear = (key: string, own: Link) => (bytes: Buffer, from: RemoteInfo) => {
    if (isHere(own, from.address)) take(bytes, from, own)
    else if (places.keys().next().value === key && !isKnown(from.address)) onForeign(from.address)
  }
  /** An answer by unicast comes to one socket, and that may be another link's where the sender is on both. */
  const getAnswer = (bytes: Buffer, from: RemoteInfo) => {
    const link = links.find((other) => isHere(other, from.address))
    if (link) take(bytes, from, link)
    else if (!isKnown(from.address)) onForeign(from.address)
  }
  /** This machine's other responders also speak on its loopback interface. */
  const isKnown = (sender: string) =>
    sender.startsWith('127.') || sender.split('%')[0] === '::1' || links.some((link) => isHere(link, sender))
  const open = (key: string, link: Link, address: string, type: 'udp4' | 'udp6') => {
    const asking = createSocket({ type, reuseAddr: true })
    const hearing = createSocket({ type, reuseAddr: true })
    const scope = type === 'udp6' ? `%${link.name}` : ''
    const group = GROUP[type]
    const sockets = [asking, hearing]
    const isOpen = () => (places.get(key) as Place | undefined)?.sockets === sockets
    const send = (packet: Buffer) => {
      if (isOpen()) attempt(fail, () => asking.send(packet, MDNS_PORT, `${group}${scope}`, () => {}))
      return isOpen()
    }
    // Whatever fails, the place is closed and opened again: the network may have been taken away from under it.
    const fail = () => {
      if (!isOpen()) return
      closeAll(sockets)
      places.set(key, { again: performance.now() + TRY_AGAIN_MS })
    }
    hearing.on('message', hear(key, link)).on('error', fail)
    asking.on('message', getAnswer).on('error', fail)
    places.set(key, { sockets, send })
    hearing.bind(MDNS_PORT, `${group}${scope}`, () => {
      if (!isOpen()) return
      attempt(fail, () => {
        hearing.addMembership(group, type === 'udp4' ? address : `::${scope}`)
        asking.bind(MDNS_PORT, address, () => {
          if (!isOpen()) return
          attempt(fail, () => {
            asking.setMulticastInterface(type === 'udp4' ? address : `::${scope}`)
            asking.setMulticastTTL(TTL)
            onOpen(send)
          })
        })
      })
    })
  }
  return {
    follow(now) {
      links = now
      const wanted = new Map<string, () => void>()
      for (const link of links) {
        const [ipv4] = link.ipv4
        const [linkLocal] = link.linkLocal
        const add = (address: string | undefined, type: 'udp4' | 'udp6') => {
          const key = `${link.name} ${address}`
          if (address) wanted.set(key, () => open(key, link, address, type))
        }
        add(ipv4, 'udp4')
        add(linkLocal, 'udp6')
      }
      for (const [key, place] of places) {
        if (wanted.has(key)) continue
        places.delete(key)
        if ('sockets' in place) closeAll(place.sockets)
      }
      for (const [key, openIt] of wanted) {
        const place = places.get(key)
        if (!place || ('again' in place && performance.now() >= place.again)) openIt()
      }
    },
    send(packet) {
      for (const place of places.values()) if ('sockets' in place) place.send(packet)
    },
    close() {
      for (const place of places.values()) if ('sockets' in place) closeAll(place.sockets)
      places.clear()
    },
  }
}

/** In a subnet of the link, or with an address that can be nowhere else. */
function isHere(link: Link, sender: string): boolean {
  return isOnLink(link, sender) || (sender.startsWith('169.254.') && link.ipv4.length > 0 && !isLinkLocal(sender))
}

function attempt(fail: () => void, work: () => void): void {
  try {
    work()
  } catch {
    fail()
  }
}

function closeAll(sockets: readonly Socket[]): void {
  for (const socket of sockets)
    attempt(
      () => {},
      () => socket.close(),
    )
}
