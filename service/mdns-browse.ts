import { createSocket } from 'node:dgram'
import { encodeQuery, type Question } from './dns-query.ts'
import { createInstanceTable, SERVICE, type ServiceInstance } from './dns-sd.ts'

const GROUP = '224.0.0.251'
const PORT = 5353
/** At once, then once more soon, then slower (RFC 6762, 5.2), counted from when an interface has its address. */
const QUERY_AT_MS = [0, 250, 1_000, 3_000, 6_000]
/** DHCP brings addresses while we wait. */
const INTERFACES_EVERY_MS = 50

/**
 * Browses for providers on every link that this machine has an address on, until aborted, calling back whenever an instance is complete or has changed.
 * Each interface has a socket of its own: with no default route, a group can be joined only by naming the interface.
 */
export async function browseLinks(
  addresses: () => ReadonlySet<string>,
  onInstance: (instance: ServiceInstance) => void,
  signal: AbortSignal,
): Promise<void> {
  const { default: multicastDns } = await import('multicast-dns')
  const table = createInstanceTable()
  const seen = new Map<string, string>()
  const closers = new Map<string, () => void>()

  const announceComplete = () => {
    for (const instance of table.complete()) {
      const state = JSON.stringify([instance.port, instance.addresses, [...instance.txt]])
      if (seen.get(instance.label) === state) continue
      seen.set(instance.label, state)
      onInstance(instance)
    }
  }
  const listen = (address: string) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    const mdns = multicastDns({ interface: address, bind: '0.0.0.0', socket, port: PORT })
    const timers: NodeJS.Timeout[] = []
    const ask = (questions: readonly Question[], unicast: boolean) =>
      // A send that fails (an address just withdrawn) is made up for by the next query.
      socket.send(encodeQuery(questions, { unicast }), PORT, GROUP, () => {})
    mdns.on('ready', () => {
      if (signal.aborted) return
      for (const [round, delay] of QUERY_AT_MS.entries()) {
        timers.push(setTimeout(() => ask([{ name: SERVICE, type: 'PTR' }, ...table.missing()], round === 0), delay))
      }
    })
    mdns.on('response', (response, { address: sender }) => {
      const before = table.missing().length
      table.add({ records: [...(response.answers ?? []), ...(response.additionals ?? [])], sender })
      announceComplete()
      const missing = table.missing()
      if (missing.length > before) ask(missing, true)
    })
    mdns.on('warning', () => {}) // a packet of somebody's that is no DNS, an interface that just went
    mdns.on('error', () => {}) // somebody holds the port alone: this interface stays silent, static providers go on
    closers.set(address, () => {
      for (const timer of timers) clearTimeout(timer)
      mdns.destroy()
    })
  }
  const lookForInterfaces = () => {
    for (const address of addresses()) if (!closers.has(address)) listen(address)
  }
  lookForInterfaces()
  const timer = setInterval(lookForInterfaces, INTERFACES_EVERY_MS)
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  clearInterval(timer)
  for (const close of [...closers.values()]) close()
}
