import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { bundleScripts } from '../../images/bundle-scripts.ts'

/** Loads the script as images/dht-asset.cjs does, with no modules but Node's own; then a provider, and a client that asks it. */
const PROGRAM = `
const { wrap, isBuiltin } = require('node:module')
const { Script } = require('node:vm')
const { generateKeyPairSync } = require('node:crypto')
const own = { exports: {} }
const onlyNode = (name) => { if (!isBuiltin(name)) throw new Error(name + ' is not in the script'); return require(name) }
new Script(wrap(require('node:fs').readFileSync(process.argv[1], 'utf8'))).runInThisContext()(own.exports, onlyNode, own, 'dht.cjs', '/')
const { advertiseByDht, openDhtClient } = own.exports
const { privateKey } = generateKeyPairSync('ed25519')
const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
const advertised = advertiseByDht({
  key: { seed, privateKey }, listen: { host: '127.0.0.1', port: 0 }, bootstrap: [],
  provided: async () => [{ urls: ['http://192.0.2.1:8080'], channel: 'stable', arch: 'x86_64' }],
  load: async () => null,
  log: { info() {}, warn: console.error },
})
const main = async () => {
  while (!advertised.port()) await new Promise((r) => setTimeout(r, 20))
  const stop = new AbortController()
  const client = await openDhtClient([{ kind: 'address', host: '127.0.0.1', port: advertised.port() }], stop.signal)
  const key = Buffer.from('/phase/stable/amd64/manifest')
  for (;;) {
    for await (const peer of client.providers(key)) {
      console.log(JSON.stringify((await peer.ask()).document))
      stop.abort()
      await client.stop()
      return advertised.stop()
    }
    await new Promise((r) => setTimeout(r, 20))
  }
}
main()
`

test('in the executable libp2p is a script of its own, which works, and the agent starts without it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-bundle-'))
  t.after(() => rm(directory, { recursive: true }))
  const { script, assets } = await bundleScripts(directory)
  const dht = assets['dht.cjs']!
  assert.ok(!(await readFile(script, 'utf8')).includes('/ipfs/kad/'), 'the agent itself holds no part of libp2p')
  const { size } = await stat(dht)
  t.diagnostic(`${size} bytes beside ${(await stat(script)).size}`)
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', PROGRAM, dht], { timeout: 30_000 })
  assert.deepEqual(JSON.parse(stdout), {
    urls: ['http://192.0.2.1:8080'],
    channel: 'stable',
    arch: 'x86_64',
    load: null,
  })
})
