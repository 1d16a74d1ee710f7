import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'

/**
 * A program that behaves as INTEROP.md says of the Rust `plasmd`, for tests of the agent against a plasmd that is not ours. It
 * shares no code with ours. Its quirks are that one's: a manifest.json of its own at each request, with signatures that nobody
 * can verify; no suffix ranges; no mDNS; an option that it does not know ends it with code 2.
 *
 * FOREIGN_FAULT in the environment makes it go wrong: see {@link Fault}.
 */
type Fault =
  | 'wrong-byte' // the kernel has one bit that the stored one has not
  | 'wrong-envelope' // the signed document is written anew: same content, other bytes
  | 'wrong-manifest' // its own manifest gives the kernel another digest
  | 'exit-2' // takes an option that the agent passes for an unknown one
  | 'no-ranges' // answers a range with the whole
  | 'no-head' // knows GET alone
  | 'bare' // knows no /health and no /status

const fault = process.env.FOREIGN_FAULT as Fault | undefined

const VERSION = '0.1.0'
const MONTH_MS = 30 * 24 * 3600_000
const ALIASES = [
  ['x86_64', 'amd64'],
  ['arm64', 'aarch64'],
]
const ROLES: ReadonlyArray<readonly [role: string, pattern: RegExp]> = [
  ['kernel', /^(kernel$|vmlinuz|bzImage|Image$)/],
  ['initramfs', /^(initramfs|initrd)/],
  ['rootfs', /^rootfs/],
]

interface ServeOptions {
  readonly artifacts: string
  readonly channel: string
  readonly arch: string
  readonly port: string
  readonly bind: string
}

const startedAt = Date.now()
const counts = { requests_total: 0, bytes_served_total: 0 }
const peerId = `12D3KooW${randomBytes(22).toString('hex')}`

const [command = '', ...rest] = process.argv.slice(2)
if (command === 'serve') serve(options(rest))
else if (command === 'version') console.log(`plasmd ${VERSION}`)
else if (command === 'provider') provider(rest)
else usage(`unrecognized subcommand '${command}'`)

function options(words: readonly string[]): ServeOptions {
  const text = (short: string, fallback: string) => ({ type: 'string', short, default: fallback }) as const
  try {
    if (fault === 'exit-2') throw new Error("unexpected argument '--no-mdns' found")
    return parseArgs({
      args: [...words],
      options: {
        artifacts: text('a', '/var/lib/plasm/artifacts'),
        channel: text('c', 'stable'),
        arch: text('A', process.arch === 'arm64' ? 'arm64' : 'x86_64'),
        port: text('p', '8080'),
        bind: text('b', '0.0.0.0'),
        'no-dht': { type: 'boolean' },
        'no-mdns': { type: 'boolean' },
      },
    }).values
  } catch (thrown) {
    return usage((thrown as Error).message)
  }
}

function usage(problem: string): never {
  console.error(`error: ${problem}\n\nUsage: plasmd <serve|provider|version>`)
  process.exit(2)
}

function provider([what, ...rest]: readonly string[]): void {
  if (what !== 'status' && what !== 'list') usage('provider status, or provider list')
  const { values } = parseArgs({
    args: rest,
    options: { json: { type: 'boolean' }, addr: { type: 'string', default: 'http://127.0.0.1:8080' } },
  })
  request(new URL('/status', values.addr), (answer) => answer.pipe(process.stdout))
    .on('error', ({ message }) => {
      console.error(message)
      process.exitCode = 1
    })
    .end()
}

function serve(given: ServeOptions): void {
  const server = createServer((asked, answer) => {
    counts.requests_total += 1
    const { status, headers, body } = answerTo(given, asked)
    answer.writeHead(status, { 'content-length': body.length, ...headers })
    if (asked.method === 'HEAD') answer.end()
    else answer.end(body)
  })
  server.listen(Number(given.port), given.bind, () => console.log(`listening on ${given.bind}:${given.port}`))
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  /** Left out for HEAD. */
  readonly body: Buffer
}

const refusal = (status: number, headers = {}): Answer => ({ status, headers, body: Buffer.alloc(0) })
const NOT_FOUND = refusal(404)

const json = (document: unknown): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(document)),
})

function answerTo(given: ServeOptions, { method, url, headers }: IncomingMessage): Answer {
  if (method !== 'GET' && (method !== 'HEAD' || fault === 'no-head')) return refusal(405)
  const parts = (url ?? '').split('?')[0]!.split('/').slice(1).map(decodeURIComponent)
  const [first = '', second = '', third = ''] = parts
  if (parts.length === 1) return answerAbout(given, first)
  if (parts.length !== 3) return NOT_FOUND
  if (first !== 'blobs' && third === 'manifest.json') return manifest(given, first, second)
  const file = first === 'blobs' ? blob(given, second, third) : fileNamed(given, first, second, third)
  return file === undefined ? NOT_FOUND : fileAnswer(file, headers.range)
}

function answerAbout(given: ServeOptions, name: string): Answer {
  const about = {
    name: 'plasmd-provider',
    version: VERSION,
    channel: given.channel,
    arch: given.arch,
    uptime_seconds: Math.floor((Date.now() - startedAt) / 1000),
  }
  const checks = { artifacts_readable: true, disk_space_ok: true }
  if (name === '') return json(about)
  if (name === 'manifest.json') return manifest(given, given.channel, given.arch)
  if (fault === 'bare') return NOT_FOUND
  if (name === 'health') return json({ status: 'healthy', checks })
  if (name === 'status') return json({ ...about, health: { status: 'healthy', ...checks }, metrics: counts })
  return NOT_FOUND
}

function manifest(given: ServeOptions, channel: string, arch: string): Answer {
  const dir = directoryOf(given, channel, arch)
  if (dir === undefined) return NOT_FOUND
  const artifacts: Record<string, unknown> = {}
  for (const filename of readdirSync(dir)) {
    const role = ROLES.find(([, pattern]) => pattern.test(filename))?.[0] ?? (/^dtb-/.test(filename) ? filename : null)
    if (role === null) continue
    const bytes = readFileSync(join(dir, filename))
    const hash = hashOf(fault === 'wrong-manifest' && role === 'kernel' ? bytes.subarray(1) : bytes)
    const place = `/${channel}/${arch}/${filename}`
    artifacts[role] = { filename, size_bytes: bytes.length, hash, download_url: place }
  }
  const now = Date.now()
  const time = (ms: number) => new Date(ms).toISOString()
  return json({
    manifest_version: 1,
    version: VERSION,
    channel,
    arch,
    created_at: time(now),
    expires_at: time(now + MONTH_MS),
    artifacts,
    signatures: now % 2 === 0 ? [] : [shuffled({ keyid: peerId, sig: randomBytes(64).toString('base64') })],
    provider: { peer_id: peerId, addresses: [] },
  })
}

/** Like a Rust HashMap: another order at each run. */
function shuffled(fields: Record<string, string>): Record<string, string> {
  const entries = Object.entries(fields)
  return Object.fromEntries(Math.random() < 0.5 ? entries : entries.reverse())
}

function blob(given: ServeOptions, prefix: string, name: string): string | undefined {
  const hex = /^([0-9a-f]{64})\.bin$/.exec(name)?.[1]
  const dir = directoryOf(given, given.channel, given.arch)
  if (hex?.slice(0, 2) !== prefix || dir === undefined) return undefined
  const files = readdirSync(dir).map((filename) => join(dir, filename))
  return files.find((path) => hashOf(readFileSync(path)) === `sha256:${hex}`)
}

function directoryOf({ artifacts }: ServeOptions, channel: string, arch: string): string | undefined {
  const names = ALIASES.find((aliases) => aliases.includes(arch)) ?? []
  return isPlain(channel) ? names.map((name) => join(artifacts, channel, name)).find(isThere) : undefined
}

function fileNamed(given: ServeOptions, channel: string, arch: string, name: string): string | undefined {
  const dir = directoryOf(given, channel, arch)
  if (dir === undefined || !isPlain(name)) return undefined
  if (isThere(join(dir, name))) return join(dir, name)
  const pattern = ROLES.find(([role]) => role === name)?.[1]
  const found = pattern && readdirSync(dir).find((filename) => pattern.test(filename))
  return found === undefined ? undefined : join(dir, found)
}

const isPlain = (name: string): boolean => !/^\.|[/\0]/.test(name) && name !== ''
const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined
const hashOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

function fileAnswer(file: string, asked: string | undefined): Answer {
  const bytes = contentOf(file)
  const { length } = bytes
  const range = fault === 'no-ranges' ? undefined : asked
  const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (range !== undefined && (from === '' || Number(from) >= length)) {
    return refusal(416, { 'content-range': `bytes */${length}` })
  }
  const first = Number(from)
  const last = to === '' ? length - 1 : Math.min(Number(to), length - 1)
  const headers = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'x-artifact-hash': hashOf(bytes),
    ...(range === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${length}` }),
  }
  counts.bytes_served_total += last - first + 1
  return { status: range === undefined ? 200 : 206, headers, body: bytes.subarray(first, last + 1) }
}

/** Other bytes than the file has, where they are to be wrong. */
function contentOf(file: string): Buffer {
  const bytes = readFileSync(file)
  const name = basename(file)
  if (fault === 'wrong-envelope' && name === 'manifest.dsse.json') {
    return Buffer.from(`${JSON.stringify(JSON.parse(bytes.toString('utf8')), null, 1)}\n`)
  }
  if (fault === 'wrong-byte' && ROLES[0]![1].test(name)) bytes[bytes.length >> 1]! ^= 1
  return bytes
}
