import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'

/** What others have put here: records of up to 4 KiB, so 4 MiB at most. */
const MAX_RECORDS = 1024
/** What peers have said of themselves, which identify keeps of each that has ever connected. */
const MAX_PEERS = 256
const RECORDS = '/dht/'
const PEERS = '/peers/'

/**
 * Keeps what a node stores in memory, and of the records that anybody may put here only the last ones: a stranger who puts
 * without end pushes out records, which are put again every half hour, and not this machine's memory. The same of what is known of peers.
 */
export function boundedDatastore(maxRecords = MAX_RECORDS, maxPeers = MAX_PEERS): MemoryDatastore {
  const store = new MemoryDatastore()
  const kinds = [
    { prefix: RECORDS, most: maxRecords, names: new Set<string>() },
    { prefix: PEERS, most: maxPeers, names: new Set<string>() },
  ]
  const put = store.put.bind(store)
  const remove = store.delete.bind(store)
  return Object.assign(store, {
    async put(key: Key, value: Uint8Array) {
      const name = key.toString()
      await put(key, value)
      const kind = kinds.find(({ prefix }) => name.startsWith(prefix))
      if (!kind) return key
      const { names, most } = kind
      names.delete(name)
      names.add(name)
      const [oldest] = names
      if (names.size > most && oldest !== undefined) {
        names.delete(oldest)
        await remove(new Key(oldest))
      }
      return key
    },
    async delete(key: Key) {
      for (const { names } of kinds) names.delete(key.toString())
      await remove(key)
    },
  })
}
