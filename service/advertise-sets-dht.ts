import type { Arch } from './arch.ts'
import type { DhtAdvertisement, DhtLog } from './dht/advertise.ts'
import { parseBootstrapPeer } from './dht/bootstrap-peer.ts'
import { loadDht } from './dht/load.ts'
import { providerDocument } from './dht/provider-document.ts'
import { asPlasmError } from './errors.ts'
import type { NodeKey } from './node-key.ts'
import { ownUrls } from './own-urls.ts'
import { providerIdentity, servedSets } from './status.ts'

export interface DhtAdvertisedRoot {
  readonly root: string
  readonly key: NodeKey
  /** HTTP port. */
  readonly port: number
  readonly bind: string
  /** The set that is told of where none is asked for. */
  readonly first: { readonly channel: string; readonly arch: Arch }
  /** TCP port of the DHT node. */
  readonly dhtPort: number
  readonly bootstrap: readonly string[]
  /** Transfers that run. */
  readonly load: () => number
  readonly log: DhtLog
}

/**
 * Keeps every channel and arch that is served findable in the DHT. libp2p is loaded here, after serving has begun; what fails is logged,
 * and serving goes on.
 */
export function advertiseSetsByDht(options: DhtAdvertisedRoot): Pick<DhtAdvertisement, 'stop'> {
  const { root, key, bind, first, dhtPort, bootstrap, log } = options
  let stopped = false
  const starting = loadDht().then(({ advertiseByDht }) => {
    if (stopped) return undefined
    return advertiseByDht({
      key,
      listen: { host: bind, port: dhtPort },
      bootstrap: bootstrap.flatMap((text) => parseBootstrapPeer(text) ?? []),
      provided: () => provided(options),
      load: async () => options.load(),
      log,
    })
  })
  starting.catch((thrown: unknown) => log.warn({ code: asPlasmError(thrown).code }, asPlasmError(thrown).message))

  async function provided({ port }: DhtAdvertisedRoot) {
    const { machine = null, generation } = await providerIdentity(root)
    const urls = ownUrls(bind, port)
    const isFirst = (set: { channel: string; arch: Arch }) => set.channel === first.channel && set.arch === first.arch
    const sets = [...(await servedSets(root))].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)))
    return sets.map((set) => providerDocument(set, { urls, machine, generation, peerId: key.peerId }))
  }
  return {
    async stop() {
      stopped = true
      await (await starting.catch(() => undefined))?.stop()
    },
  }
}
