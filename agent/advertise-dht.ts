import { setTimeout as sleep } from 'node:timers/promises'
import type { DhtLog } from '../service/dht/advertise.ts'
import { parseBootstrapPeer } from '../service/dht/bootstrap-peer.ts'
import { loadDht } from '../service/dht/load.ts'
import { providerDocument } from '../service/dht/provider-document.ts'
import { asPlasmError } from '../service/errors.ts'
import type { NodeKey } from '../service/node-key.ts'
import { ownUrls } from '../service/own-urls.ts'
import { hostInUrl } from '../service/url-host.ts'
import type { AgentConfig } from './config.ts'
import type { Served } from './served.ts'

/** How long a stop waits. */
const STOP_WITHIN_MS = 3_000

export interface DhtService {
  readonly config: Pick<AgentConfig, 'bootstrap' | 'dhtPort' | 'port'>
  readonly key: NodeKey
  readonly served: Served
  /** This machine's address for others: the one that is named first. */
  readonly address: string
  /** Where plasmd listens, and the node of the DHT: `::` is IPv4 and IPv6. */
  readonly bind: '::' | '0.0.0.0'
  /** Transfers that run at plasmd; null: not known. */
  readonly load: () => Promise<number | null>
  readonly log: DhtLog
}

/**
 * Makes what is served here findable in the DHT until stopped (mode internet): only called once it is proven, and in the background,
 * since libp2p takes its time to load.
 */
export function advertiseInDht(service: DhtService): { stop(): Promise<void> } {
  const { config, key, served, address, bind, load, log } = service
  let stopped = false
  const provided = async () => {
    const { machine, generation } = served.record
    const { manifest, digest } = served.set.verified
    const { channel, arch, version, sequence } = manifest
    const set = { channel, arch, version, sequence, manifest_digest: digest }
    // A link-local address with its link is no part of a URL, and means nothing beyond the link.
    const first = address.includes('%') ? [] : [`http://${hostInUrl(address)}:${config.port}`]
    const urls = new Set([...first, ...ownUrls(bind, config.port)])
    return [providerDocument(set, { urls: [...urls], machine, generation, peerId: key.peerId })]
  }
  const start = async () => {
    const { advertiseByDht } = await loadDht()
    if (stopped) return undefined
    return advertiseByDht({
      key,
      listen: { host: bind, port: config.dhtPort },
      bootstrap: config.bootstrap.flatMap((text) => parseBootstrapPeer(text) ?? []),
      provided,
      load,
      log,
    })
  }
  const starting = start().catch((thrown: unknown) => {
    const { code, message } = asPlasmError(thrown)
    log.warn({ code }, `not in the DHT: ${message}`)
    return undefined
  })
  return {
    async stop() {
      stopped = true
      const stopping = starting.then((advertisement) => advertisement?.stop())
      await Promise.race([stopping, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
    },
  }
}
