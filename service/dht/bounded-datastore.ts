import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'

/** What others have put here: records of up to 4 KiB, so 4 MiB at most. */
const MAX_RECORDS = 1024
const RECORDS = '/dht/'

/**
 * Keeps what a node stores in memory, and of the records that anybody may put here only the last ones: a stranger who puts
 * without end pushes out records, which are put again every half hour, and not this machine's memory.
 */
export function boundedDatastore(maxRecords = MAX_RECORDS): MemoryDatastore {
  const store = new MemoryDatastore()
  const records = new Set<string>()
  const put = store.put.bind(store)
  const remove = store.delete.bind(store)
  return Object.assign(store, {
    async put(key: Key, value: Uint8Array) {
      const name = key.toString()
      await put(key, value)
      if (!name.startsWith(RECORDS)) return key
      records.delete(name)
      records.add(name)
      const [oldest] = records
      if (records.size > maxRecords && oldest !== undefined) {
        records.delete(oldest)
        await remove(new Key(oldest))
      }
      return key
    },
    async delete(key: Key) {
      records.delete(key.toString())
      await remove(key)
    },
  })
}
