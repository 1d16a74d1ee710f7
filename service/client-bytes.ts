import type { OpenFile } from './open-inside.ts'

/** Clients remembered; who has been silent longest is forgotten first. */
const CLIENTS_MAX = 1024
/** Files remembered for each: more than a boot set has, and the set before it. */
const FILES_MAX = 32

/** What a client's address has been sent by this process. */
export interface ClientView {
  readonly address: string
  readonly bytes: number
  /** RFC 3339. */
  readonly last_sent: string
}

export interface ClientBytes {
  sent(address: string, file: Pick<OpenFile, 'identity'>, bytes: number): void
  /** Bytes of a file, as it is now, that went to an address. */
  of(address: string, file: Pick<OpenFile, 'identity'>): number
  /** Everybody who is remembered, last sent to last. */
  list(): readonly ClientView[]
}

interface Client {
  bytes: number
  lastSent: number
  readonly files: Map<string, number>
}

/** Counts by address and file: a boot receipt says how much of a set a client really had from here. */
export function createClientBytes(limit = CLIENTS_MAX): ClientBytes {
  const clients = new Map<string, Client>()
  return {
    sent(from, { identity }, bytes) {
      const address = plainAddress(from)
      const client = clients.get(address) ?? { bytes: 0, lastSent: 0, files: new Map<string, number>() }
      client.bytes += bytes
      client.lastSent = Date.now()
      touch(client.files, identity, (client.files.get(identity) ?? 0) + bytes, FILES_MAX)
      touch(clients, address, client, limit)
    },
    of: (from, { identity }) => clients.get(plainAddress(from))?.files.get(identity) ?? 0,
    list: () =>
      [...clients].map(([address, { bytes, lastSent }]) => ({
        address,
        bytes,
        last_sent: new Date(lastSent).toISOString(),
      })),
  }
}

/** Sets an entry, as the youngest one, and lets the oldest go beyond the limit. */
function touch<T>(map: Map<string, T>, key: string, value: T, limit: number): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= limit) break
    map.delete(oldest)
  }
}

/** A socket that listens for both families shows IPv4 clients as IPv4-mapped addresses (RFC 4291, 2.5.5.2). */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

export function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  return plain === '::1' || /^127\.\d+\.\d+\.\d+$/.test(plain)
}
