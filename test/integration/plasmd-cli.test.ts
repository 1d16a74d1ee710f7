import assert from 'node:assert/strict'
import { type ExecFileException, execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseManifest } from '../../service/manifest.ts'
import { makeRoot, putSet, serve, sha256 } from '../support/plasmd.ts'
import { PLASMD, startPlasmd } from '../support/plasmd-process.ts'
import { until } from '../support/serve-machine.ts'
import { openTerminal } from '../support/terminal.ts'

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const options = { env: { PATH: process.env.PATH, ...env }, maxBuffer: 64 * 1024 * 1024, encoding: 'latin1' as const }
  return new Promise((resolve) => {
    execFile(program, args, options, (error: ExecFileException | null, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}
const plasmd = (args: readonly string[], env?: Record<string, string>) => run(process.execPath, [PLASMD, ...args], env)

async function makeSet(t: TestContext) {
  const root = await makeRoot(t)
  const dir = join(root, 'stable', 'aarch64')
  return { root, dir, files: await putSet(dir, { kernel: 300_000, initramfs: 5000 }) }
}

test('help teaches with examples, and the version is printed by flag and by command', async () => {
  const [help, flag, command] = await Promise.all([plasmd(['--help']), plasmd(['--version']), plasmd(['version'])])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /Examples:\n {2}plasmd serve/)
  assert.match(flag.stdout, /^plasmd \d+\.\d+\.\d+ \(commit \S+, Node 24\./)
  assert.deepEqual([command.code, command.stdout], [0, flag.stdout])
})

const WRONG: ReadonlyArray<[args: readonly string[], code: number, says: RegExp]> = [
  [['serve', '--artifacts', '/nonexistent'], 78, /no directory \/nonexistent.*artifacts-missing[\s\S]*--artifacts/],
  [
    ['serve', '--artifacts', '/', '--identity', '/nonexistent/key'],
    78,
    /^plasmd: the node key \/nonexistent\/key can be .*no directory \/nonexistent \[node-key-unavailable\]\n {2}make it \(.*--identity\n$/,
  ],
  [
    ['serve', '--artifacts', '/', '--identity', '/dev/null/key'],
    78,
    /: \/dev\/null is no directory \[node-key-unavailable\]\n {2}name another file with --identity\n$/,
  ],
  [
    ['serve', '--artifacts', '/', '--identity', '/'],
    78,
    /not a regular file.*\[node-key-invalid\]\n {2}look what lies/,
  ],
  [['serve', '--arch', 'mips'], 2, /mips/],
  [['serve', '--port', '70000'], 2, /port/],
  [['serve', '--channel', '../x'], 2, /channel/],
  [['serve', '--dht-port', '-1'], 2, /port/],
  [['serve', '--bootstrap', '192.0.2.1'], 2, /192\.0\.2\.1.*no bootstrap peer/],
  [['serve', '--dht-port', '8080'], 2, /--port and --dht-port are both 8080/],
  [['serve', '--no-dht', '--bootstrap', '192.0.2.1:4001'], 2, /--no-dht leaves nothing/],
  [['serve', 'surplus'], 2, /too many arguments/],
  [['frobnicate'], 2, /unknown command/],
  [['manifest', 'generate', '/nonexistent/stable/arm64'], 78, /artifacts-missing/],
  [
    ['manifest', 'generate', import.meta.dirname, '-c', 'stable', '-A', 'arm64'],
    78,
    /^plasmd: there is no kernel in .*\[artifacts-missing\]\n {2}put a file there/,
  ],
  [['manifest', 'generate', '/nonexistent/stable/arm64', '--expires-days', '0'], 2, /--expires-days.*from 1 on/],
  [['manifest', 'sign', '/', '--key', '/nonexistent.key'], 78, /nonexistent\.key is not there \[key-invalid\]/],
  [['provider', 'list', '--addr', 'http://127.0.0.1:1', '--bootstrap', '127.0.0.1:1'], 2, /--addr .* --bootstrap/],
  [['manifest', 'generate', '/nonexistent'], 2, /place-unknown/],
  [['provider', 'status', '--addr', 'http://127.0.0.1:1'], 69, /provider-unreachable/],
  [['provider', 'status', '--addr', 'nonsense'], 2, /nonsense/],
]

for (const [args, code, says] of WRONG) {
  test(`plasmd ${args.join(' ')} ends with ${code} and says why`, async () => {
    const ended = await plasmd(args)
    assert.equal(ended.code, code, ended.stderr)
    assert.match(ended.stderr, says)
  })
}

test('serve takes part in the DHT where it is not told otherwise, and leaves it at its end', async (t) => {
  const { root } = await makeSet(t)
  const { child, log } = await startPlasmd(t, ['-a', root, '--no-mdns', '--dht-port', '0'])
  const joined = await until('a node', async () => log().find(({ msg }) => msg === 'taking part in the DHT'))
  const serving = log().find(({ msg }) => msg === 'serving')!
  assert.equal(joined.peerId, serving.peerId)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

test('a boot set is not what is served: the directory above is, and nothing is written', async (t) => {
  const { root, dir } = await makeSet(t)
  await plasmd(['manifest', 'generate', dir])
  const before = await readdir(dir)
  const ended = await plasmd(['serve', '-a', dir, '-b', '127.0.0.1', '-p', '0', '--no-mdns', '--no-dht'])
  assert.equal(ended.code, 78)
  assert.match(ended.stderr, new RegExp(`is a boot set itself \\[artifacts-misplaced\\]\n.*--artifacts: ${root}\n$`))
  assert.deepEqual(await readdir(dir), before)
  const channel = await plasmd([
    'serve',
    '-a',
    join(root, 'stable'),
    '-b',
    '127.0.0.1',
    '-p',
    '0',
    '--no-mdns',
    '--no-dht',
  ])
  assert.equal(channel.code, 78)
  assert.match(channel.stderr, new RegExp(`is the directory of a channel .*\\n.*--artifacts: ${root}\\n$`))
  assert.deepEqual(await readdir(join(root, 'stable')), ['aarch64'])
})

test('a taken port is an error of its own, with exit code 69', async (t) => {
  const { root } = await makeSet(t)
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const port = String((other.address() as { port: number }).port)
  const ended = await plasmd(['serve', '-a', root, '-b', '127.0.0.1', '-p', port, '--no-mdns', '--no-dht'])
  assert.equal(ended.code, 69)
  assert.match(ended.stderr, /port-in-use/)
})

test('manifest generate: place from the path, sequence counts on, the same time makes the same bytes', async (t) => {
  const { dir } = await makeSet(t)
  const manifest = async () => parseManifest(await readFile(join(dir, 'manifest.json')))
  const epoch = { SOURCE_DATE_EPOCH: '1700000000' }
  const first = await plasmd(['manifest', 'generate', dir], epoch)
  const bytes = await readFile(join(dir, 'manifest.json'))
  assert.equal(first.stdout.trim(), sha256(bytes))
  const { channel, arch, sequence, created_at } = await manifest()
  assert.deepEqual([channel, arch, sequence, created_at], ['stable', 'arm64', 1, '2023-11-14T22:13:20Z'])
  await plasmd(['manifest', 'generate', dir])
  assert.equal((await manifest()).sequence, 2)
  const flags = ['--sequence', '1', '--created-at', '2023-11-14T22:13:20Z', '--channel', 'stable', '--arch', 'arm64']
  await plasmd(['manifest', 'generate', dir, ...flags])
  assert.deepEqual(await readFile(join(dir, 'manifest.json')), bytes)
  const other = ['--release-version', '2.0', '--expires-days', '1']
  await plasmd(['manifest', 'generate', dir, ...flags, ...other])
  const { version, expires_at } = await manifest()
  assert.deepEqual([version, expires_at], ['2.0', '2023-11-15T22:13:20Z'])
})

test('provider status and list tell people and programs what a provider has', async (t) => {
  const { root, dir } = await makeSet(t)
  await plasmd(['manifest', 'generate', dir])
  const { url } = await serve(t, root)
  const [people, programs, list] = await Promise.all([
    plasmd(['provider', 'status', '--addr', url]),
    plasmd(['provider', 'status', '--addr', url, '--json']),
    plasmd(['provider', 'list', '--addr', url, '--json']),
  ])
  assert.deepEqual([people.code, programs.code, list.code], [0, 0, 0])
  assert.match(people.stdout, /healthy[\s\S]*stable\/arm64/)
  assert.equal(JSON.parse(programs.stdout).health.status, 'healthy')
  assert.deepEqual(
    JSON.parse(list.stdout).map(({ channel, arch, sequence }: Record<string, unknown>) => [channel, arch, sequence]),
    [['stable', 'arm64', 1]],
  )
})

test('curl and the wget of busybox fetch from it, whole, in part, and on from a broken file', async (t) => {
  const { root, files } = await makeSet(t)
  const { url } = await serve(t, root)
  const kernel = `${url}/stable/arm64/kernel`
  const text = files.kernel.toString('latin1')
  const whole = await run('curl', ['-sS', kernel])
  assert.ok(whole.stdout === text)
  assert.ok((await run('curl', ['-sS', '-r', '100-199', kernel])).stdout === text.slice(100, 200))
  assert.ok((await run('curl', ['-sS', '-r', '-100', kernel])).stdout === text.slice(-100))
  assert.match(
    (await run('curl', ['-sSI', kernel])).stdout,
    new RegExp(`x-artifact-hash: ${sha256(files.kernel)}`, 'i'),
  )
  const wget = await run('busybox', ['wget', '-q', '-O', '-', kernel])
  if (String(wget.code) === 'NaN') return t.diagnostic('busybox is not installed: its wget was not tried')
  assert.ok(wget.stdout === text, wget.stderr)
  const part = join(root, 'part')
  await putSet(root, { part: files.kernel.subarray(0, 1000) })
  const resumed = await run('busybox', ['wget', '-q', '-c', '-O', part, kernel])
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.ok((await readFile(part)).equals(files.kernel))
})

test('serve logs JSON lines, requests only with --verbose, and ends with 0 on SIGTERM and SIGINT', async (t) => {
  const { root } = await makeSet(t)
  for (const [signal, flags] of [
    ['SIGTERM', []],
    ['SIGINT', ['--verbose']],
  ] as const) {
    const { child, port, log } = await startPlasmd(t, ['-a', root, '--no-mdns', ...flags])
    await run('curl', ['-sg', `http://127.0.0.1:${port}/x%0a%1b[31m`])
    child.kill(signal)
    assert.deepEqual(await once(child, 'exit'), [0, null])
    const requests = log().filter(({ msg }) => msg === 'request')
    assert.deepEqual(
      requests.map(({ target, status }) => [target, status]),
      flags.length ? [['/x%0a%1b[31m', 404]] : [],
    )
  }
})

test('on a terminal serve says in words where it is reached, and stops by Ctrl-C', async (t) => {
  const { root } = await makeSet(t)
  const serve = [process.execPath, PLASMD, 'serve', '-a', root, '--port', '0', '--no-mdns', '--no-dht']
  const terminal = openTerminal(serve, 20_000)
  t.after(() => terminal.stop())
  await terminal.until(/Ctrl-C stops it/)
  const url = /^ {2}(http:\/\/\S+)/m.exec(terminal.seen())?.[1]
  assert.equal((await fetch(`${url}/health`)).status, 200)
  assert.match(terminal.seen(), new RegExp(`plasmd serves ${root} at[\\s\\S]*stable/arm64`))
  assert.doesNotMatch(terminal.seen(), /0\.0\.0\.0|\[::\]|"msg"/)
  terminal.type('\x03')
  assert.equal(await terminal.end(), 0)
  assert.match(terminal.seen(), /stopping \(signal SIGINT\)/)
})
