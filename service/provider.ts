import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { type Logger, pino } from 'pino'
import { type Advertiser, advertise } from './advertise.ts'
import type { Arch } from './arch.ts'
import { createDigestCache } from './digest-cache.ts'
import { PlasmError } from './errors.ts'
import { MANIFEST_FILE, parseManifest } from './manifest.ts'
import { createProviderState, type ProviderState } from './provider-state.ts'
import { createRequestHandler } from './request-handler.ts'
import { openServedRoot, readProviderFile, type ServedRoot, type SetPlace } from './served-root.ts'
import { storePaths } from './store-layout.ts'
import { buildInfo } from './version.ts'

/** Running transfers get this long at a stop; whoever supervises kills after 15 s. */
const GRACE_MS = 10_000
/** A client that takes nothing for this long is cut off. */
const IDLE_MS = 30_000

export interface ProviderOptions {
  readonly artifacts: string
  readonly channel: string
  readonly arch: Arch
  readonly port: number
  readonly bind: string
  readonly mdns: boolean
  readonly log?: Logger
  readonly mostTransfers?: number
}

export interface Provider {
  readonly url: string
  readonly port: number
  /** Goodbye on mDNS, no new connections, {@link GRACE_MS} for running transfers. */
  stop(): Promise<void>
}

/**
 * Serves a directory tree over HTTP and, with `mdns`, says so on the link.
 * @throws PlasmError `artifacts-missing` | `port-in-use` | `bind-failed`
 */
export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const log = options.log ?? pino({ level: 'silent' })
  const root = await openServedRoot(options.artifacts)
  const state = createProviderState({ ...options, log })
  const handle = createRequestHandler({ ...options, root, state, digests: createDigestCache() })
  const server = createServer({ keepAliveTimeout: 5_000, requestTimeout: 30_000 }, (request, response) => {
    response.on('close', () =>
      log.debug({ method: request.method, url: request.url, status: response.statusCode }, 'request'),
    )
    handle(request, response).catch((err: unknown) => {
      log.error({ err }, 'request failed')
      response.destroy()
    })
  })
  server.setTimeout(IDLE_MS)
  await listen(server, options)
  const { address, port } = server.address() as AddressInfo
  const url = `http://${address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address}:${port}`
  log.info({ url, artifacts: root.path }, 'serving')
  const advertisers = options.mdns ? await advertiseSets(root, options, port, log) : []
  let stopping: Promise<void> | undefined
  return {
    url,
    port,
    stop() {
      stopping ??= stopProvider(server, advertisers, state)
      return stopping
    },
  }
}

async function listen(server: Server, { port, bind }: ProviderOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, bind, resolve)
  }).catch((cause: NodeJS.ErrnoException) => {
    const taken = cause.code === 'EADDRINUSE'
    throw new PlasmError(
      taken ? 'port-in-use' : 'bind-failed',
      taken ? `port ${port} is taken` : `cannot listen on ${bind}:${port}: ${cause.message}`,
      {
        cause,
        facts: { bind, port, errno: cause.code ?? null },
        hint: taken
          ? 'stop what listens there, or choose another with --port'
          : 'choose an address of this machine with --bind',
      },
    )
  })
}

/** One advertisement for each set that is there; the first has the plain name. A provider without mDNS still serves. */
async function advertiseSets(
  root: ServedRoot,
  options: ProviderOptions,
  port: number,
  log: Logger,
): Promise<readonly Advertiser[]> {
  const { generation } = await readProviderFile(storePaths(root.path).provider)
  const places = await root.sets()
  const started = await Promise.all(
    places.map(async (place, index) => {
      const { version, sequence } = await releaseOf(root, place)
      const name = `plasmd-${hostname()}${index === 0 ? '' : `-${place.channel}-${place.arch}`}`
      const ad = { name, hostname: hostname(), port, version, channel: place.channel, arch: place.arch }
      const address = options.bind === '0.0.0.0' || options.bind === '::' ? {} : { address: options.bind }
      const txt = { generation: String(generation), ...(sequence === null ? {} : { sequence: String(sequence) }) }
      return advertise({ ...ad, ...address, txt }).catch((err: unknown) => {
        log.warn({ err }, 'not advertised')
        return undefined
      })
    }),
  )
  return started.filter((advertiser) => advertiser !== undefined)
}

async function releaseOf(root: ServedRoot, place: SetPlace): Promise<{ version: string; sequence: number | null }> {
  const file = await root.open(place, MANIFEST_FILE)
  try {
    const manifest = file && parseManifest(await file.handle.readFile())
    return manifest ?? { version: buildInfo().version, sequence: null }
  } catch {
    return { version: buildInfo().version, sequence: null }
  } finally {
    await file?.handle.close()
  }
}

async function stopProvider(server: Server, advertisers: readonly Advertiser[], state: ProviderState): Promise<void> {
  await Promise.all(advertisers.map((advertiser) => advertiser.stop().catch(() => undefined)))
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const cut = setTimeout(() => {
    state.log.warn({ transfers: state.runningTransfers() }, 'cutting off running transfers')
    server.closeAllConnections()
  }, GRACE_MS)
  await closed
  clearTimeout(cut)
}
