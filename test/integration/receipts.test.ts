import assert from 'node:assert/strict'
import { access, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { verifyLineage } from '../../service/lineage.ts'
import { lineageDocument } from '../../service/lineage-document.ts'
import { makeNodeKey, type NodeKey, writeNodeKey } from '../../service/node-key.ts'
import type { Provider } from '../../service/provider.ts'
import { writeReceiptRequest } from '../../service/receipt-request.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeSet } from '../support/boot-set.ts'
import { ask, errorOf, makeRoot, putSet, serve, sha256 } from '../support/plasmd.ts'
import { startPlasmd } from '../support/plasmd-process.ts'
import { bootChain, NONCE } from '../support/receipts.ts'

const SET = makeSet({ arch: 'x86_64' })
const DIGEST = sha256(SET.manifest)
const WANTED = { nonce: NONCE, manifestDigest: DIGEST, channel: 'stable', arch: 'x86_64' } as const

async function served(t: TestContext, lineage?: { key: NodeKey; envelopes: readonly unknown[] }): Promise<Provider> {
  const root = await makeRoot(t)
  await putSet(join(root, 'stable/x86_64'), { ...SET.files, 'manifest.json': SET.manifest })
  if (lineage) {
    await writeNodeKey(storePaths(root).nodeKey, lineage.key)
    await writeFile(storePaths(root).lineage, lineageDocument(lineage.envelopes))
  }
  return serve(t, root)
}

const post = (provider: Provider, body: string | Uint8Array) => ask(provider, '/receipts', { method: 'POST', body })

const fetchKernel = (provider: Provider, headers = {}) => ask(provider, '/stable/x86_64/vmlinuz', { headers })

test('an origin signs what a client fetched, and names nobody before it', async (t) => {
  const provider = await served(t)
  const client = makeNodeKey()
  await fetchKernel(provider)
  await ask(provider, '/stable/x86_64/initramfs.img', { headers: { range: 'bytes=0-99' } })
  const answer = await post(provider, writeReceiptRequest(client, WANTED))
  assert.equal(answer.status, 200)
  const { receipt, lineage } = JSON.parse(answer.body.toString())
  assert.deepEqual(lineage, [])
  const expected = { client: client.peerId, nonce: NONCE, manifestDigest: DIGEST }
  assert.deepEqual(verifyLineage([receipt], expected).links, [
    { provider: provider.peerId, client: client.peerId, bytes: SET.files.vmlinuz!.length + 100 },
  ])
})

test('a booted machine hands on the receipts that led to it', async (t) => {
  const above = bootChain(2)
  const provider = await served(t, { key: above.keys[2]!, envelopes: above.envelopes })
  const client = makeNodeKey()
  await fetchKernel(provider)
  const { receipt, lineage } = JSON.parse((await post(provider, writeReceiptRequest(client, WANTED))).body.toString())
  assert.deepEqual(lineage, above.envelopes)
  const verified = verifyLineage([receipt, ...lineage], { client: client.peerId, nonce: NONCE })
  assert.equal(verified.origin, above.keys[0]!.peerId)
  const status = JSON.parse((await ask(provider, '/status')).body.toString())
  assert.equal(status.peer_id, above.keys[2]!.peerId)
  assert.deepEqual(status.lineage, [
    { provider: above.keys[1]!.peerId, client: above.keys[2]!.peerId },
    { provider: above.keys[0]!.peerId, client: above.keys[1]!.peerId },
  ])
})

test("a lineage of another machine's is not handed on", async (t) => {
  const provider = await served(t, { key: makeNodeKey(), envelopes: bootChain(1).envelopes })
  await fetchKernel(provider)
  const answer = await post(provider, writeReceiptRequest(makeNodeKey(), WANTED))
  assert.deepEqual(JSON.parse(answer.body.toString()).lineage, [])
  assert.deepEqual(JSON.parse((await ask(provider, '/status')).body.toString()).lineage, [])
})

const request = (change: object = {}) => ({
  ...JSON.parse(writeReceiptRequest(makeNodeKey(), WANTED).toString('utf8')),
  ...change,
})

const REFUSALS: ReadonlyArray<readonly [name: string, status: number, code: string, body: string | Uint8Array]> = [
  ['another set', 404, 'not-found', writeReceiptRequest(makeNodeKey(), { ...WANTED, manifestDigest: sha256(NONE()) })],
  ['another channel', 404, 'not-found', writeReceiptRequest(makeNodeKey(), { ...WANTED, channel: 'testing' })],
  ["another's peer id", 403, 'request-forged', JSON.stringify(request({ client: makeNodeKey().peerId }))],
  ['another nonce than was signed', 403, 'request-forged', JSON.stringify(request({ nonce: 'a'.repeat(32) }))],
  ['a short nonce', 400, 'bad-request', JSON.stringify(request({ nonce: 'abc' }))],
  ['no peer id', 400, 'bad-request', JSON.stringify(request({ client: 'me' }))],
  ['an unknown field', 400, 'bad-request', JSON.stringify(request({ more: 1 }))],
  ['another version', 400, 'bad-request', JSON.stringify(request({ version: 2 }))],
  ['a path for a channel', 400, 'bad-request', JSON.stringify(request({ channel: '../x' }))],
  ['no JSON', 400, 'bad-request', '{'],
  ['nothing', 400, 'bad-request', ''],
  ['more than 4 KiB', 400, 'bad-request', JSON.stringify(request({ pad: 'x'.repeat(5000) }))],
]

function NONE(): Uint8Array {
  return Buffer.alloc(0)
}

test('refuses what is no request for a receipt', async (t) => {
  const provider = await served(t)
  await fetchKernel(provider)
  for (const [name, status, code, body] of REFUSALS) {
    const answer = await post(provider, body)
    assert.deepEqual([answer.status, errorOf(answer)], [status, code], name)
  }
})

test('no receipt for whom nothing was sent', async (t) => {
  const provider = await served(t)
  const body = writeReceiptRequest(makeNodeKey(), WANTED)
  await ask(provider, '/stable/x86_64/vmlinuz', { method: 'HEAD' })
  await ask(provider, '/stable/x86_64/manifest.json')
  const answer = await post(provider, body)
  assert.deepEqual([answer.status, errorOf(answer)], [409, 'nothing-sent'])
})

test('only POST at /receipts', async (t) => {
  const provider = await served(t)
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const answer = await ask(provider, '/receipts', { method })
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'POST'])
  }
})

test('who fetched how much is told on loopback alone, and no key is served', async (t) => {
  const provider = await served(t)
  await fetchKernel(provider)
  const { clients } = JSON.parse((await ask(provider, '/clients')).body.toString())
  assert.deepEqual(
    clients.map(({ address, bytes }: { address: string; bytes: number }) => [address, bytes]),
    [['127.0.0.1', SET.files.vmlinuz!.length]],
  )
  for (const path of ['/.node-key', '/.lineage.json', '/stable/../.node-key', '/stable/x86_64/..%2f..%2f.node-key']) {
    assert.equal((await ask(provider, path)).status, 404, path)
  }
})

test('the key stays with the root, or is where --identity says', async (t) => {
  const root = await makeRoot(t)
  await mkdir(join(root, 'stable'))
  const first = await serve(t, root)
  assert.equal((await stat(storePaths(root).nodeKey)).mode & 0o777, 0o600)
  assert.equal((await serve(t, root)).peerId, first.peerId)
  await rm(storePaths(root).nodeKey)
  const identity = join(root, 'key')
  const plasmd = await startPlasmd(t, ['--artifacts', root, '--no-mdns', '--identity', identity])
  const { peer_id } = JSON.parse((await ask(plasmd, '/status')).body.toString())
  assert.equal(peer_id, (await serve(t, root, { identity })).peerId)
  await assert.rejects(access(storePaths(root).nodeKey), { code: 'ENOENT' })
})
