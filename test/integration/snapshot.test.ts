import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { bundleScripts } from '../../images/bundle-scripts.ts'

const READS = resolve(import.meta.dirname, '../support/reads-program.cjs')
/** What packages read while they load, and what it decides: colours of `debug`, ciao's workarounds, and undici's parser. */
const HARMLESS = ['env FORCE_COLOR', 'env DEBUG', 'argv', 'env BCT', 'env CIAO_UPS']
const UNDICI = ['env UNDICI_NO_WASM_SIMD', 'env UNDICI_USE_MILO']

let directory: string
let script: string

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plasm-snapshot-'))
  script = (await bundleScripts(directory)).script
})
after(() => rm(directory, { recursive: true }))

/** As pkg does (images/executable.ts), by this Node; what it is told is in the snapshot, too. */
async function snapshot(): Promise<string> {
  const cwd = await mkdtemp(join(directory, 'made-'))
  await execa(process.execPath, ['--random-seed=1', '--snapshot-blob', 'blob', '--build-snapshot', script], { cwd })
  return join(cwd, 'blob')
}

test('nothing of the machine that builds an image is decided in its snapshot', async () => {
  const { stdout } = await execa(process.execPath, [READS, script])
  const read = stdout.split('\n').filter((what) => !HARMLESS.includes(what) && !UNDICI.includes(what))
  assert.deepEqual(read, [], 'read it when it is used, not while the module loads')
})

test('a snapshot is the same whenever it is made, and the program in it knows its own time and place', async () => {
  const blob = await snapshot()
  assert.ok((await readFile(await snapshot())).equals(await readFile(blob)), 'two snapshots differ')
  const run = execa(
    process.execPath,
    [
      '--snapshot-blob',
      blob,
      'plasmd',
      'serve',
      '-a',
      directory,
      '-b',
      '127.0.0.1',
      '-p',
      '0',
      '--no-mdns',
      '--no-dht',
    ],
    {
      argv0: 'plasmd',
      reject: false,
    },
  )
  const [line] = (await once(run.stderr!, 'data')) as [Buffer]
  const told = JSON.parse(line.toString().split('\n')[0]!) as { pid: number; hostname: string; time: string }
  run.kill('SIGTERM')
  assert.equal((await run).exitCode, 0)
  assert.equal(told.pid, run.pid)
  assert.equal(told.hostname, hostname())
  assert.ok(Math.abs(Date.parse(told.time) - Date.now()) < 60_000)
})
