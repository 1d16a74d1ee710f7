import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Key } from 'interface-datastore'
import { boundedDatastore } from '../../../../service/dht/bounded-datastore.ts'

test('of records and of peers only the last are kept, each by itself, and what is put again is new', async () => {
  const store = boundedDatastore(3, 2)
  const put = (name: string) => store.put(new Key(name), new Uint8Array(1))
  for (const name of ['/dht/1', '/peers/1', '/peers/2', '/own', '/dht/2', '/peers/1', '/peers/3']) await put(name)
  const has = (name: string) => store.has(new Key(name))
  const there = ['/dht/1', '/dht/2', '/own', '/peers/1', '/peers/2', '/peers/3'].map(async (name) =>
    (await has(name)) ? [name] : [],
  )
  assert.deepEqual((await Promise.all(there)).flat(), ['/dht/1', '/dht/2', '/own', '/peers/1', '/peers/3'])
})
