// node images/code-cache.cjs SCRIPT CACHE
//
// Writes V8's code cache of a script that dht-asset.cjs loads: run by the Node that will load it. With all of its functions, not only
// those that loading it runs: joining the DHT runs most of them once, and compiling them took an emulated guest a second.
const { readFileSync, writeFileSync } = require('node:fs')
const { wrap } = require('node:module')
const { setFlagsFromString } = require('node:v8')
const { Script } = require('node:vm')

const [file, cache] = process.argv.slice(2)
setFlagsFromString('--no-lazy')
const script = new Script(wrap(readFileSync(file, 'utf8')), { filename: 'dht.cjs' })
// A cache counts for nothing where V8 runs with other flags than it was made with.
setFlagsFromString('--lazy')
writeFileSync(cache, script.createCachedData())
