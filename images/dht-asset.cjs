// Stands in, in the executable, for service/dht/libp2p.ts: bundled with the rest, libp2p made every start of the agent a third slower,
// although hardly any uses it. It lies in the executable as a script of its own (an asset of Node's SEA), and is read when it is asked for.
const { wrap } = require('node:module')
const { getAsset, getRawAsset } = require('node:sea')
const { Script } = require('node:vm')

const own = { exports: {} }
const script = new Script(wrap(getAsset('dht.cjs', 'utf8')), { filename: 'dht.cjs', cachedData: codeCache() })
// In a SEA, `require` knows Node's own modules, and the script needs no others.
script.runInThisContext()(own.exports, require, own, 'dht.cjs', '/')
module.exports = own.exports

/** What code-cache.cjs made; V8 does without where it is of another V8. An image that was built without an emulator has none. */
function codeCache() {
  try {
    return Buffer.from(getRawAsset('dht.cjs.cache'))
  } catch {
    return undefined
  }
}
