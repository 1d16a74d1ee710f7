import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connectProvider, postDocument, readDocument } from '../../../agent/http-body.ts'
import { readFrom } from '../../../agent/http-range.ts'

const PATIENCE = { connectMs: 500, headersMs: 500, stallMs: 500 }

/** A server on loopback that answers with the Host it was asked for, and the place to ask it by a name that nobody resolves. */
async function elsewhere(t: TestContext) {
  const server = createServer((request, response) => response.end(request.headers.host)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const host = `plasm-770001.local:${(server.address() as AddressInfo).port}`
  return { host, place: { url: `http://${host}`, reach: '127.0.0.1' } }
}

test('documents are asked for where a candidate is reached, by the name in its URL', async (t) => {
  const { host, place } = await elsewhere(t)
  const connection = await connectProvider(place, PATIENCE)
  t.after(() => connection.close())
  assert.equal((await readDocument(connection, '/x', 100)).toString(), host)
  assert.equal((await postDocument(connection, '/x', Buffer.from('{}'), 100)).toString(), host)
})

test('artifacts too', async (t) => {
  const { host, place } = await elsewhere(t)
  const parts: Buffer[] = []
  const take = (data: Buffer) => void parts.push(Buffer.from(data))
  await readFrom({ ...place, url: `${place.url}/kernel` }, { from: 0, size: host.length }, PATIENCE, take)
  assert.equal(Buffer.concat(parts).toString(), host)
})

test('an error names the URL, not where it was looked for', async (t) => {
  const { place } = await elsewhere(t)
  const nobody = { ...place, url: 'http://plasm-770001.local:9' }
  await assert.rejects(
    readFrom(nobody, { from: 0, size: 1 }, PATIENCE, () => {}),
    { code: 'transfer-broken', message: /^http:\/\/plasm-770001\.local:9: / },
  )
})
