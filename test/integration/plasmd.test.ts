import assert from 'node:assert/strict'
import { mkdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseManifest } from '../../service/manifest.ts'
import { generateManifest, writeManifestFile } from '../../service/publish.ts'
import { ask, errorOf, makeRoot, putSet, serve, sha256 } from '../support/plasmd.ts'

const RELEASE = { channel: 'stable', arch: 'x86_64', version: '1.0.0', sequence: 3 } as const

/** A root with one published set. */
async function publish(t: TestContext) {
  const root = await makeRoot(t)
  const dir = join(root, 'stable', 'x86_64')
  const files = await putSet(dir, { kernel: 3_000_000, 'initramfs.img': 5000, 'dtb-board': 100 })
  await writeManifestFile(dir, await generateManifest(dir, RELEASE))
  return { root, dir, files }
}

const json = ({ body }: { body: Buffer }) => JSON.parse(body.toString())

test('says who it is, how it is and what it serves, without naming a path', async (t) => {
  const { root } = await publish(t)
  const provider = await serve(t, root)
  const about = json(await ask(provider, '/'))
  assert.deepEqual(Object.keys(about), ['name', 'version', 'channel', 'arch', 'uptime_seconds'])
  assert.deepEqual([about.name, about.channel, about.arch], ['plasmd-provider', 'stable', 'x86_64'])
  assert.deepEqual(json(await ask(provider, '/health')), {
    status: 'healthy',
    checks: { artifacts_readable: true, disk_space_ok: true },
  })
  const manifest = await ask(provider, '/manifest.json')
  const answer = await ask(provider, '/status')
  const status = json(answer)
  assert.deepEqual(status.health, { status: 'healthy', artifacts_readable: true, disk_space_ok: true })
  assert.deepEqual([status.generation, status.machine, status.pid], [0, undefined, process.pid])
  assert.deepEqual([status.metrics.requests_total, status.metrics.bytes_served_total], [4, manifest.body.length])
  assert.deepEqual(status.sets, [{ ...set, manifest_digest: sha256(manifest.body) }])
  assert.ok(!answer.body.includes(root))
})
const set = { channel: 'stable', arch: 'x86_64', version: '1.0.0', sequence: 3 }

test('a set that lacks what its manifest promises makes the provider unhealthy; the rest is served on', async (t) => {
  const { root, dir } = await publish(t)
  const provider = await serve(t, root)
  await truncate(join(dir, 'kernel'), 100)
  const answer = await ask(provider, '/health')
  assert.deepEqual([answer.status, json(answer).status], [503, 'unhealthy'])
  assert.deepEqual(json(answer).checks, { artifacts_readable: false, disk_space_ok: true })
  assert.equal(json(await ask(provider, '/status')).health.status, 'unhealthy')
  assert.equal((await ask(provider, '/stable/x86_64/dtb-board')).status, 200)
})

test('a booted machine says its name and generation', async (t) => {
  const { root } = await publish(t)
  const provider = await serve(t, root)
  await writeFile(join(root, '.provider.json'), '{"machine":"plasm-0a0b0c","generation":2}')
  const { machine, generation } = json(await ask(provider, '/status'))
  assert.deepEqual([machine, generation], ['plasm-0a0b0c', 2])
  await writeFile(join(root, '.provider.json'), '{"machine":5')
  assert.equal(json(await ask(provider, '/status')).generation, 0)
})

test('hands on manifest and envelope byte for byte', async (t) => {
  const { root, dir } = await publish(t)
  const provider = await serve(t, root)
  const odd = '{ "not":  "ours" }\n'
  await putSet(dir, { 'manifest.json': odd, 'manifest.dsse.json': odd })
  for (const path of ['/manifest.json', '/stable/amd64/manifest.json', '/stable/x86_64/manifest.dsse.json']) {
    const { status, headers, body } = await ask(provider, path)
    assert.deepEqual([status, headers['content-type'], body.toString()], [200, 'application/json', odd], path)
  }
  assert.equal((await ask(provider, '/stable/arm64/manifest.json')).status, 404)
  await rm(join(dir, 'manifest.dsse.json'))
  assert.equal((await ask(provider, '/stable/x86_64/manifest.dsse.json')).status, 404)
})

test('makes a manifest where there is none, the same until the files change', async (t) => {
  const { root, dir, files } = await publish(t)
  await rm(join(dir, 'manifest.json'))
  const provider = await serve(t, root)
  const { body } = await ask(provider, '/stable/x86_64/manifest.json')
  const { artifacts, sequence } = parseManifest(body)
  assert.deepEqual([artifacts.kernel.hash, artifacts.kernel.chunks, sequence], [sha256(files.kernel), undefined, 0])
  assert.deepEqual((await ask(provider, '/manifest.json')).body, body)
  const { kernel } = await putSet(dir, { kernel: 500 })
  const changed = parseManifest((await ask(provider, '/manifest.json')).body)
  assert.equal(changed.artifacts.kernel.hash, sha256(kernel))
  await rm(join(dir, 'kernel'))
  assert.equal((await ask(provider, '/manifest.json')).status, 404)
})

test('serves artifacts by file name, by role and by content, under every name of the arch', async (t) => {
  const { root, files } = await publish(t)
  const provider = await serve(t, root)
  const hex = sha256(files['initramfs.img']).slice(7)
  const paths = [
    '/stable/x86_64/initramfs.img',
    '/stable/amd64/initramfs.img',
    '/stable/x86_64/initramfs',
    `/blobs/${hex.slice(0, 2)}/${hex}.bin`,
  ]
  for (const path of paths) {
    const { status, headers, body } = await ask(provider, path)
    assert.deepEqual([status, headers['content-type']], [200, 'application/octet-stream'], path)
    assert.deepEqual([headers['content-length'], headers['accept-ranges']], ['5000', 'bytes'], path)
    assert.equal(headers['x-artifact-hash'], `sha256:${hex}`, path)
    assert.deepEqual(body, files['initramfs.img'], path)
  }
  const absent = await ask(provider, `/blobs/00/00${hex.slice(2)}.bin`)
  assert.deepEqual([absent.status, errorOf(absent)], [404, 'not-found'])
})

test('a blob is found without a manifest, and never by a manifest that lies', async (t) => {
  const { root, dir, files } = await publish(t)
  const provider = await serve(t, root)
  const blob = (bytes: Buffer) => `/blobs/${sha256(bytes).slice(7, 9)}/${sha256(bytes).slice(7)}.bin`
  const { kernel } = await putSet(dir, { kernel: files.kernel.length })
  assert.equal((await ask(provider, blob(files.kernel))).status, 404)
  await rm(join(dir, 'manifest.json'))
  assert.equal((await ask(provider, blob(kernel))).status, 200)
})

test('HEAD answers like GET without a body, everywhere', async (t) => {
  const { root } = await publish(t)
  const provider = await serve(t, root)
  for (const path of ['/', '/health', '/manifest.json', '/stable/x86_64/kernel', '/nothing/here']) {
    const [head, whole] = [await ask(provider, path, { method: 'HEAD' }), await ask(provider, path)]
    assert.deepEqual([head.status, head.body.length], [whole.status, 0], path)
    for (const name of ['content-length', 'content-type', 'x-artifact-hash', 'etag', 'accept-ranges']) {
      assert.equal(head.headers[name], whole.headers[name], `${path} ${name}`)
    }
  }
  const head = await ask(provider, '/stable/x86_64/kernel', { method: 'HEAD', headers: { range: 'bytes=0-1' } })
  assert.deepEqual([head.status, head.headers['content-length']], [200, '3000000'])
})

const RANGES: ReadonlyArray<[range: string, status: number, first: number, end: number]> = [
  ['bytes=0-0', 206, 0, 1],
  ['bytes=1048570-1048590', 206, 1048570, 1048591],
  ['bytes=2999999-', 206, 2999999, 3000000],
  ['bytes=100-99999999', 206, 100, 3000000],
  ['bytes=-7', 206, 2999993, 3000000],
  ['bytes=0-', 206, 0, 3000000],
  ['bytes=0-1,5-6', 200, 0, 3000000],
  ['bytes=9-1', 200, 0, 3000000],
]

test('answers ranges', async (t) => {
  const { root, files } = await publish(t)
  const provider = await serve(t, root)
  for (const [range, status, first, end] of RANGES) {
    const answer = await ask(provider, '/stable/x86_64/kernel', { headers: { range } })
    assert.equal(answer.status, status, range)
    assert.ok(answer.body.equals(files.kernel.subarray(first, end)), range)
    const expected = status === 206 ? `bytes ${first}-${end - 1}/3000000` : undefined
    assert.equal(answer.headers['content-range'], expected, range)
  }
  const beyond = await ask(provider, '/stable/x86_64/kernel', { headers: { range: 'bytes=3000000-' } })
  assert.deepEqual([beyond.status, errorOf(beyond)], [416, 'range-not-satisfiable'])
  assert.equal(beyond.headers['content-range'], 'bytes */3000000')
})

test('If-Range: the rest of the same file, the whole of another', async (t) => {
  const { root, dir, files } = await publish(t)
  const provider = await serve(t, root)
  const etag = (await ask(provider, '/stable/x86_64/kernel', { method: 'HEAD' })).headers.etag!
  const headers = { range: 'bytes=2999000-', 'if-range': etag }
  assert.equal((await ask(provider, '/stable/x86_64/kernel', { headers })).status, 206)
  const { kernel } = await putSet(dir, { kernel: files.kernel.length })
  const answer = await ask(provider, '/stable/x86_64/kernel', { headers })
  assert.equal(answer.status, 200)
  assert.ok(answer.body.equals(kernel))
})

test('X-Artifact-Hash: ranges and clients that decline do not wait for it; it is never that of older bytes', async (t) => {
  const { root, dir, files } = await publish(t)
  const provider = await serve(t, root)
  const hashFor = async (headers: Record<string, string>, method = 'GET') =>
    (await ask(provider, '/stable/x86_64/kernel', { headers, method })).headers['x-artifact-hash']
  await utimes(join(dir, 'kernel'), 1, 1)
  await sleep(40)
  assert.equal(await hashFor({ range: 'bytes=0-' }), undefined)
  assert.equal(await hashFor({ 'want-repr-digest': 'sha-512=3, sha-256=0' }), undefined)
  assert.equal(await hashFor({ 'want-repr-digest': 'sha-256=1' }), sha256(files.kernel))
  assert.equal(await hashFor({ range: 'bytes=0-' }), sha256(files.kernel))
  const { kernel } = await putSet(dir, { kernel: files.kernel.length })
  await utimes(join(dir, 'kernel'), 1, 1)
  assert.equal(await hashFor({ range: 'bytes=0-' }), undefined)
  assert.equal(await hashFor({}, 'HEAD'), sha256(kernel))
})

test('answers other methods with 405 and what it allows, broken paths with 400', async (t) => {
  const { root } = await publish(t)
  const provider = await serve(t, root)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const answer = await ask(provider, '/stable/x86_64/kernel', { method })
    assert.deepEqual([answer.status, answer.headers.allow, errorOf(answer)], [405, 'GET, HEAD', 'method-not-allowed'])
  }
  const broken = await ask(provider, '/stable/x86_64/%zz')
  assert.deepEqual([broken.status, errorOf(broken)], [400, 'bad-request'])
})

test('nothing outside the root, hidden or unfinished can be had or seen', async (t) => {
  const { root, dir } = await publish(t)
  const outside = await makeRoot(t)
  await putSet(join(outside, 'x86_64'), { kernel: 'secret', initramfs: 'secret' })
  await putSet(dir, { '.hidden': 'h', 'rootfs.part': 'r', 'a.tmp': 'r', 'a.incoming': 'r' })
  await putSet(join(root, '.sets', '.incoming-1'), { kernel: 'half', initramfs: 'half' })
  await putSet(join(root, '.handover'), { kernel: 'handover' })
  await symlink(join(outside, 'x86_64', 'kernel'), join(dir, 'rootfs'))
  await symlink(outside, join(root, 'leaves'))
  await mkdir(join(root, 'testing'))
  await symlink('../.sets/.incoming-1', join(root, 'testing', 'x86_64'))
  const provider = await serve(t, root)
  const name = outside.split('/').at(-1)
  const targets = [
    '/stable/x86_64/.hidden',
    '/stable/x86_64/rootfs.part',
    '/stable/x86_64/a.tmp',
    '/stable/x86_64/a.incoming',
    '/stable/x86_64/rootfs',
    '/leaves/x86_64/kernel',
    '/testing/x86_64/kernel',
    '/testing/x86_64/manifest.json',
    '/.sets/.incoming-1/kernel',
    '/.handover/x86_64/kernel',
    '/.provider.json',
    `/stable/x86_64/..%2f..%2f..%2f${name}%2fx86_64%2fkernel`,
    `/stable/x86_64/../../../${name}/x86_64/kernel`,
    `/..%2f${name}/x86_64/kernel`,
    `/%252e%252e%252f${name}/x86_64/kernel`,
    '/stable/x86_64/kernel%00',
    '/stable/x86_64/..%5c..%5ckernel',
    '/stable/x86_64',
    `${outside}/x86_64/kernel`,
  ]
  for (const target of targets) {
    const answer = await ask(provider, target)
    assert.deepEqual([answer.status, errorOf(answer)], [404, 'not-found'], target)
  }
  const { sets } = json(await ask(provider, '/status'))
  assert.deepEqual(
    sets.map(({ channel }: { channel: string }) => channel),
    ['stable'],
  )
})

test('a set swapped during a transfer: the client gets the old bytes to the end, the next one the new', async (t) => {
  const root = await makeRoot(t)
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)]
  const old = await putSet(join(root, '.sets', one), { kernel: 24_000_000, initramfs: 10 })
  const next = await putSet(join(root, '.sets', two), { kernel: 24_000_000, initramfs: 10 })
  await mkdir(join(root, 'stable'))
  await symlink(`../.sets/${one}`, join(root, 'stable', 'x86_64'))
  const provider = await serve(t, root)
  const received = await new Promise<Buffer>((resolve, reject) => {
    get(`${provider.url}/stable/x86_64/kernel`, { headers: { range: 'bytes=0-' } }, async (response) => {
      const pieces: Buffer[] = []
      response.once('readable', async () => {
        await symlink(`../.sets/${two}`, join(root, 'stable', '.swap'))
        await rename(join(root, 'stable', '.swap'), join(root, 'stable', 'x86_64'))
        await rm(join(root, '.sets', one), { recursive: true })
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('end', () => resolve(Buffer.concat(pieces))).on('error', reject)
      })
    }).on('error', reject)
  })
  assert.ok(received.equals(old.kernel))
  assert.ok((await ask(provider, '/stable/x86_64/kernel')).body.equals(next.kernel))
})

test('memory stays flat while a file of 1 GiB is served', async (t) => {
  const root = await makeRoot(t)
  await putSet(join(root, 'stable', 'x86_64'), { kernel: 1, initramfs: 1 })
  await writeFile(join(root, 'stable', 'x86_64', 'rootfs'), '')
  await truncate(join(root, 'stable', 'x86_64', 'rootfs'), 2 ** 30)
  const { startPlasmd, residentMiB } = await import('../support/plasmd-process.ts')
  const plasmd = await startPlasmd(t, ['--artifacts', root, '--no-mdns'])
  await ask(plasmd, '/stable/x86_64/kernel')
  const before = await residentMiB(plasmd.pid)
  let most = before
  let bytes = 0
  await new Promise<void>((resolve, reject) => {
    get(`http://127.0.0.1:${plasmd.port}/stable/x86_64/rootfs`, { headers: { range: 'bytes=0-' } }, (response) => {
      const timer = setInterval(async () => {
        most = Math.max(most, await residentMiB(plasmd.pid))
      }, 20)
      response.on('data', (piece: Buffer) => {
        bytes += piece.length
      })
      response.on('end', () => resolve(clearInterval(timer))).on('error', reject)
    }).on('error', reject)
  })
  assert.equal(bytes, 2 ** 30)
  t.diagnostic(`resident ${before} MiB, at most ${most} MiB`)
  assert.ok(most - before < 40, `grew from ${before} to ${most} MiB`)
})
