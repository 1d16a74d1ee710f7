import type { ResponderInternals, ServiceInternals } from './ciao-internals.ts'

/** ciao itself looks every 15 s, and only at the interfaces that it was told of at first. */
const LOOK_EVERY_MS = 2_000

/**
 * Keeps an advertisement on every link that is up. What is new or has another address is first closed and then opened by ciao:
 * of an interface that has one family's address, and later the other's, ciao would go on with the first.
 * @param addresses name of each link that is up -> its addresses, in any form
 * @returns ends it
 */
export function followLinks(
  { server: { networkManager } }: ResponderInternals,
  service: ServiceInternals,
  addresses: () => ReadonlyMap<string, string>,
): () => void {
  let known = addresses()
  let looking = false
  const use = async (names: readonly string[]) => {
    networkManager.restrictedInterfaces = [...names]
    clearTimeout(networkManager.currentTimer)
    await networkManager.checkForNewInterfaces()
  }
  const look = async () => {
    const now = addresses()
    const changed = new Set([...now].filter(([name, state]) => known.get(name) !== state).map(([name]) => name))
    if (changed.size === 0 && now.size === known.size) return
    known = now
    const names = [...now.keys()]
    service.restrictedAddresses = onAllOf(names)
    await use(names.filter((name) => !changed.has(name)))
    if (changed.size > 0) await use(names)
  }
  const timer = setInterval(() => {
    if (looking) return
    looking = true
    void look()
      .catch(() => {}) // tried again with the next change; what went wrong is that an interface went meanwhile
      .finally(() => {
        looking = false
      })
  }, LOOK_EVERY_MS)
  return () => clearInterval(timer)
}

/** ciao: no address for an interface means all of them. */
export const onAllOf = (names: readonly string[]) => new Map(names.map((name) => [name, []]))
