// node images/code-cache.cjs SCRIPT CACHE
//
// Writes V8's code cache of a script that dht-asset.cjs loads: run by the Node that will load it, with its code as far as loading it
// compiles it. It halves the time that loading takes.
const { readFileSync, writeFileSync } = require('node:fs')
const { wrap } = require('node:module')
const { Script } = require('node:vm')

const [file, cache] = process.argv.slice(2)
const own = { exports: {} }
const script = new Script(wrap(readFileSync(file, 'utf8')), { filename: 'dht.cjs' })
script.runInThisContext()(own.exports, require, own, 'dht.cjs', '/')
writeFileSync(cache, script.createCachedData())
