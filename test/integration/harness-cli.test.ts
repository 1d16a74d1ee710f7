import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { openControl } from '../../host-harness/control-server.ts'
import { createRunDir, RUNS } from '../../host-harness/run-dir.ts'
import { whileNoOtherBuilds } from '../../images/build-lock.ts'

const CLI = fileURLToPath(new URL('../../host-harness/cli.ts', import.meta.url))
const IMAGES = fileURLToPath(new URL('../../images/cli.ts', import.meta.url))
const chain = (...args: string[]) =>
  execa(process.execPath, [CLI, 'chain', ...args], { reject: false, stdin: 'ignore', timeout: 30_000 })

const WRONG: ReadonlyArray<readonly [args: readonly string[], says: RegExp]> = [
  [['--generations', '0'], /whole number from 1 to/],
  [['--generations', '2x'], /whole number from 1 to/],
  [['--memory', '1e3'], /whole number from 128 to/],
  [['--arch', 'sparc'], /unknown architecture "sparc"; use one of x86_64, amd64, arm64, aarch64/],
  [['--providers', 'some'], /Allowed choices are all, last/],
  [['--generation'], /unknown option/],
  [['--plasmd', './plasmd', '--unsigned'], /--plasmd needs a signed set/],
  [['--plasmd', './plasmd', '--discovery', 'static'], /--plasmd goes without --discovery static/],
  [['--rootfs', 'alpine'], /Allowed choices are none, minimal/],
  [['--rootfs', 'minimal', '--unsigned'], /--unsigned goes with --rootfs none/],
  [['--network', 'star'], /Allowed choices are lan, routed, isolated-origin/],
  [['--discovery', 'dns'], /Allowed choices are mdns, dht, static, auto/],
  [['--network', 'routed', '--discovery', 'mdns'], /mDNS does not cross routers: .* dht, static or auto/],
  [['--network', 'routed'], /mDNS does not cross routers/],
  [['vm1'], /too many arguments/],
]

for (const [args, says] of WRONG) {
  test(`chain ${args.join(' ')} is wrong usage`, async () => {
    const { exitCode, stderr, stdout } = await chain(...args)
    assert.equal(exitCode, 2)
    assert.match(stderr, says)
    assert.equal(stdout, '')
  })
}

test('boot offers no network that makes sense for two machines only', async () => {
  const boot = (...args: string[]) =>
    execa(process.execPath, [CLI, 'boot', ...args], { reject: false, stdin: 'ignore', timeout: 30_000 })
  const { exitCode, stderr } = await boot('--network', 'isolated-origin')
  assert.equal(exitCode, 2)
  assert.match(stderr, /Allowed choices are lan, routed\./)
  assert.doesNotMatch((await boot('--help')).stdout, /isolated-origin|vm1 reaches/)
})

const images = (...args: string[]) =>
  execa(process.execPath, [IMAGES, ...args], { reject: false, stdin: 'ignore', timeout: 30_000 })

const UNFIT: ReadonlyArray<readonly [file: string, says: RegExp]> = [
  [
    '/nowhere',
    /^error: option '--plasmd <file>': \/nowhere cannot be baked in as plasmd: there is no such file\n {2}name/,
  ],
  ['/etc/passwd', /^error: option '--plasmd <file>': \/etc\/passwd cannot be baked in as plasmd: it is not a 64-bit/],
]

for (const [file, says] of UNFIT) {
  test(`--plasmd ${file} is one usage error, told before anything is done or waited for`, async () => {
    const runs = () => readdir(RUNS).catch(() => [])
    const before = await runs()
    await whileNoOtherBuilds(async () => {
      for (const { exitCode, stderr, stdout } of [
        await chain('--plasmd', file, '--json'),
        await images('build', '--plasmd', file),
      ]) {
        assert.equal(exitCode, 2)
        assert.match(stderr, says)
        assert.equal(stderr.match(/error/g)?.length, 1)
        assert.equal(stdout, '')
      }
    })
    assert.deepEqual(await runs(), before)
  })
}

const exec = (...args: string[]) => execa(process.execPath, [CLI, 'exec', ...args], { reject: false, stdin: 'ignore' })

test('exec without a command is wrong usage, as in every program here', async () => {
  const { exitCode, stderr } = await exec('vm1')
  assert.equal(exitCode, 2)
  assert.match(stderr, /missing required argument 'command'/)
})

test('who forgot -- before a command is told where it belongs, and nobody else', async () => {
  for (const [args, says] of [
    [['vm1'], "missing required argument 'command'"],
    [['vm1', 'ls', '-l'], "unknown option '-l'"],
  ] as const) {
    const { stderr } = await exec(...args)
    const lines = [
      'put -- before the command: plasm-harness exec vm1 -- ls -l',
      'plasm-harness exec --help says what there is',
    ]
    assert.equal(stderr, [`error: ${says}`, ...lines].join('\n  '))
  }
  const { exitCode, stderr } = await exec('vm1', '--timeout', '0', '--', 'ls')
  assert.equal(exitCode, 2)
  assert.doesNotMatch(stderr, /put -- before/)
  assert.doesNotMatch((await chain('--generation')).stderr, /put -- before/)
})

test('a failure is one JSON object too, the last line of stdout', async () => {
  const { exitCode, stdout, stderr } = await chain('--generations', '20', '--memory', '65536', '--json')
  assert.equal(exitCode, 1)
  const { error, ...rest } = JSON.parse(stdout)
  assert.deepEqual(
    { ...rest, arch: null },
    {
      ...{ ok: false, arch: null, accel: null, setBytes: 0, plasmd: 'own', rootfs: 'none', serviceManager: null },
      ...{ network: 'lan', discovery: 'mdns' },
      ...{ lineageVerified: false, generations: [] },
    },
  )
  assert.deepEqual([error.code, error.step, error.machine], ['host-memory-short', 'setup', null])
  assert.match(error.hint, /fewer generations/)
  assert.match(stderr, /host-memory-short/)
})

test('who gave npm an option that is meant for the harness is told how to write it', async () => {
  const env = { npm_lifecycle_event: 'chain', npm_config_generations: 'true' }
  const { stderr } = await execa(process.execPath, [CLI, 'chain', '3'], { reject: false, stdin: 'ignore', env })
  const [first, second] = stderr.split('\n')
  assert.equal(first, 'npm took --generations for itself; write: npm run chain -- --generations 3')
  assert.match(second!, /too many arguments/)
})

test('a run that starts beside another one of this checkout says which, and how to end it', async (t) => {
  const runDir = await createRunDir(randomUUID())
  t.after(() => rm(runDir, { recursive: true, force: true }))
  const tooMuch = ['--generations', '20', '--memory', '65536']
  const others = async () =>
    (await chain(...tooMuch)).stderr.split('\n').filter((line) => line.includes(runDir.slice(-36)))
  assert.deepEqual(await others(), [], 'it does not answer')
  await using _ = await openControl(runDir, new Map(), new AbortController().signal)
  const end = `(pid ${process.pid}; to end it: kill -INT ${process.pid})`
  const [line, ...more] = await others()
  assert.deepEqual(more, [])
  assert.ok(line?.startsWith(`run ${basename(runDir)} ${end} is up too, and shares this host's `), line)
})
