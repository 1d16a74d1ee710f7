import { once } from 'node:events'
import { readdir, realpath, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, dirname } from 'node:path'
import type { Logger } from 'pino'
import { advertiseSets } from './advertise-sets.ts'
import { advertiseSetsByDht } from './advertise-sets-dht.ts'
import { answer } from './answer.ts'
import { type Arch, hostArch } from './arch.ts'
import { listSets } from './boot-sets.ts'
import { createClientBytes } from './client-bytes.ts'
import { DHT_PORT } from './dht/bootstrap-peer.ts'
import { createDigestCache } from './digest-cache.ts'
import { ENVELOPE_FILE } from './dsse.ts'
import { asPlasmError, PlasmError } from './errors.ts'
import { sendProblem, statusOf } from './http-problem.ts'
import { MANIFEST_FILE } from './manifest.ts'
import { createOwnLineage } from './own-lineage.ts'
import { ownUrls } from './own-urls.ts'
import { printable } from './printable.ts'
import { providerKey } from './provider-key.ts'
import { placeOf } from './publish.ts'
import type { Site } from './site.ts'
import { createTransferSlots } from './transfers.ts'
import { hostInUrl } from './url-host.ts'

/** A connection on which nothing moves for so long is cut; a slow one that moves is not. */
const IDLE_MS = 60_000
/** Beyond, new connections are refused: descriptors are finite (RLIMIT_NOFILE is often 1024). */
const MAX_CONNECTIONS = 512
/** What running transfers get at a stop; whoever supervises kills after 15 s. */
const GRACE_MS = 10_000

export interface ProviderOptions {
  /** The served root: <root>/<channel>/<arch>/<file>. */
  readonly artifacts: string
  readonly channel?: string
  readonly arch?: Arch
  /** File of the node key; by default `.node-key` in the root. */
  readonly identity?: string
  /** 0 takes a free one. */
  readonly port?: number
  readonly bind?: string
  /** Advertise what is served by mDNS. */
  readonly mdns?: boolean
  /** Make what is served findable in the DHT, and take part in it: without `bootstrap`, as the first node. */
  readonly dht?: boolean
  /** TCP port of the DHT node; 0 takes a free one. */
  readonly dhtPort?: number
  /** By whom the DHT is joined (dht/bootstrap-peer.ts). */
  readonly bootstrap?: readonly string[]
  readonly log?: Pick<Logger, 'info' | 'warn' | 'error' | 'debug'>
}

export interface Provider {
  /** How this machine reaches it. */
  readonly url: string
  readonly port: number
  readonly peerId: string
  /** Goodbye on mDNS, out of the DHT, no new connections; running transfers get `graceMs`, then they are cut. Calling it again cuts sooner. */
  stop(graceMs?: number): Promise<void>
}

const SILENT = { info() {}, warn() {}, error() {}, debug() {} }

/**
 * Serves a directory of boot sets over HTTP (INTEROP: provider HTTP API). Answers as soon as this resolves; nothing is hashed
 * before somebody asks.
 * @throws PlasmError `artifacts-missing` | `artifacts-misplaced` (facts: `dir`) | `node-key-exposed` | `node-key-invalid` | `node-key-unavailable` (facts: `file`) | `port-in-use` | `cannot-listen` (facts: `bind`, `port`)
 */
export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const { channel = 'stable', arch = hostArch(), port = 8080, bind = '0.0.0.0', log = SILENT } = options
  const root = await existingDirectory(options.artifacts)
  const key = await providerKey(root, options.identity, log)
  const site: Site = {
    root,
    channel,
    arch,
    digests: createDigestCache(),
    transfers: createTransferSlots(),
    key,
    lineage: createOwnLineage(root, key.peerId),
    clients: createClientBytes(),
    startedAt: performance.now(),
    metrics: { requests: 0, bytesServed: 0 },
  }
  const server = createServer((request, response) => void handle(site, log, request, response))
  server.timeout = IDLE_MS
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, port, bind)
  const address = server.address() as AddressInfo
  const advertising = options.mdns
    ? advertiseSets({
        root,
        port: address.port,
        bind,
        first: { channel, arch },
        peerId: key.peerId,
        load: site.transfers.running,
        log,
        ...(options.dht ? { dhtPort: options.dhtPort ?? DHT_PORT } : {}),
      })
    : undefined
  const inDht = options.dht
    ? advertiseSetsByDht({
        ...{ root, key, port: address.port, bind, first: { channel, arch }, log },
        dhtPort: options.dhtPort ?? DHT_PORT,
        bootstrap: options.bootstrap ?? [],
        load: site.transfers.running,
      })
    : undefined
  const url = `http://${urlHost(bind)}:${address.port}`
  log.info(
    { url: ownUrls(bind, address.port)[0] ?? url, artifacts: root, channel, arch, peerId: key.peerId },
    'serving',
  )
  let stopping: Promise<void> | undefined
  return {
    url,
    port: address.port,
    peerId: key.peerId,
    stop(graceMs = GRACE_MS) {
      if (stopping) server.closeAllConnections()
      stopping ??= (async () => {
        await Promise.all([advertising?.stop(), inDht?.stop()])
        await close(server, graceMs)
      })()
      return stopping
    },
  }
}

async function handle(
  site: Site,
  log: Pick<Logger, 'error' | 'debug'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  site.metrics.requests += 1
  const facts = { method: request.method, target: printable(request.url ?? ''), from: request.socket.remoteAddress }
  // A client that hangs up is its own business; the response's end says the rest.
  response.on('error', () => {})
  try {
    await answer(site, request, response)
  } catch (thrown) {
    const error = asPlasmError(thrown)
    if (statusOf(error) === 500) log.error({ ...facts, err: thrown }, 'a request failed')
    sendProblem(response, error)
  }
  log.debug({ ...facts, status: response.statusCode }, 'request')
}

async function existingDirectory(dir: string): Promise<string> {
  const path = await realpath(dir).catch(() => undefined)
  if (path !== undefined && (await stat(path)).isDirectory()) {
    await refuseSet(path)
    return path
  }
  throw new PlasmError('artifacts-missing', `there is no directory ${dir}`, {
    facts: { dir },
    hint: 'name the directory that holds <channel>/<arch>/ with --artifacts',
  })
}

/** Whoever names a set itself, or the directory of its channel, would serve nothing, and get a node key into it. */
async function refuseSet(path: string): Promise<void> {
  if ((await listSets(path)).length > 0) return
  const sets = (await listSets(dirname(path))).filter(({ channel }) => channel === basename(path))
  if (sets.length > 0) throw misplaced(path, 'is the directory of a channel', dirname(path))
  const names = await readdir(path)
  if (!names.includes(MANIFEST_FILE) && !names.includes(ENVELOPE_FILE)) return
  throw misplaced(path, 'is a boot set itself', placeOf(path).arch === undefined ? undefined : dirname(dirname(path)))
}

function misplaced(dir: string, problem: string, root: string | undefined): PlasmError {
  return new PlasmError('artifacts-misplaced', `${dir} ${problem}`, {
    facts: { dir },
    hint: `name the directory that holds <channel>/<arch>/ with --artifacts${root ? `: ${root}` : ', and lay the set out in it'}`,
  })
}

async function listen(server: Server, port: number, bind: string): Promise<void> {
  server.listen({ port, host: bind, backlog: 128 })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const facts = { bind, port }
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      throw new PlasmError('port-in-use', `another program already listens on port ${port}`, {
        facts,
        hint: `end it (\`ss -ltnp sport = :${port}\` names it), or choose another port with --port`,
        cause,
      })
    }
    throw new PlasmError('cannot-listen', `cannot listen on ${bind}, port ${port}: ${(cause as Error).message}`, {
      facts,
      hint: 'give --bind an address of this machine; ports below 1024 need root',
      cause,
    })
  }
}

/** A finished transfer's connection would stay open for its next request: while closing, idle ones are closed again and again. */
async function close(server: Server, graceMs: number): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  await new Promise<void>((closed) => server.close(() => closed()))
  clearInterval(sweep)
  clearTimeout(cut)
}

function urlHost(bind: string): string {
  if (bind === '0.0.0.0' || bind === '::') return '127.0.0.1'
  return hostInUrl(bind)
}
