import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Ad, type Advertisement, advertise } from './advertise.ts'
import type { Arch } from './arch.ts'
import { asPlasmError } from './errors.ts'
import { ownLabel, uniqueHostLabel } from './host-label.ts'
import { identityTxt } from './identity-txt.ts'
import { providerIdentity, type ServedSet, servedSets } from './status.ts'

export interface AdvertiseTiming {
  /** Sets are published and interfaces come up while a provider runs; browsers need not know at once. */
  readonly lookMs: number
  /** Transfers begin and end all the time: what is told of them is an order of magnitude, and each change a packet to everybody. */
  readonly loadMs: number
}

export const ADVERTISE_TIMING: AdvertiseTiming = { lookMs: 5_000, loadMs: 30_000 }
/** What is only being probed for was never announced: it needs no goodbye, so nobody waits for it for long. */
const STOP_WITHIN_MS = 1500

export interface AdvertisedRoot {
  readonly root: string
  readonly port: number
  readonly bind: string
  /** The set that gets the plain instance name. */
  readonly first: { readonly channel: string; readonly arch: Arch }
  readonly peerId: string
  /** Transfers that run at the moment. */
  readonly load: () => number
  /** TCP port of this machine's DHT node, where it has one. */
  readonly dhtPort?: number
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly timing?: AdvertiseTiming
}

/** Keeps one advertisement per channel and arch, with what each serves at the moment. mDNS that fails is logged and tried again. */
export function advertiseSets(options: AdvertisedRoot): Pick<Advertisement, 'stop'> {
  const { lookMs, loadMs } = options.timing ?? ADVERTISE_TIMING
  const running = new Map<string, Advertisement>()
  let load = 0
  let loadToldAt = 0
  const wake = new AbortController()
  let stopped = false

  const look = async () => {
    const ads = await wantedAds(options)
    const wanted = new Map(ads.map((ad) => [JSON.stringify(ad), ad]))
    for (const [key, advertisement] of running) {
      if (wanted.has(key)) continue
      running.delete(key)
      await advertisement.stop()
    }
    for (const [key, ad] of wanted) {
      if (stopped || running.has(key)) continue
      let { name } = ad
      const onRenamed = (other: string) => {
        name = other
        options.log.warn({ name, wanted: ad.name }, 'somebody else on the link has this name: renamed')
      }
      const advertisement = await advertise({ ...ad, txt: { ...ad.txt, load: String(load) }, onRenamed })
      if (stopped) return advertisement.stop()
      running.set(key, advertisement)
      options.log.info({ name, channel: ad.channel, arch: ad.arch, version: ad.version }, 'advertising by mDNS')
    }
  }
  const tellLoad = () => {
    const now = options.load()
    if (now === load || performance.now() - loadToldAt < loadMs) return
    load = now
    loadToldAt = performance.now()
    for (const [key, advertisement] of running) {
      advertisement.update({ ...(JSON.parse(key) as Ad).txt, load: String(load) })
    }
  }
  const keepLooking = async () => {
    while (!stopped) {
      await look().catch((thrown: unknown) => {
        const { code, message, hint } = asPlasmError(thrown)
        options.log.warn({ code, hint }, message)
      })
      if (!stopped) tellLoad()
      await sleep(lookMs, undefined, { signal: wake.signal }).catch(() => {})
    }
  }
  const looking = keepLooking()

  return {
    async stop() {
      stopped = true
      wake.abort()
      await Promise.all([...running.values()].map((advertisement) => advertisement.stop()))
      await Promise.race([looking, sleep(STOP_WITHIN_MS)])
    },
  }
}

async function wantedAds({ root, port, bind, first, peerId, dhtPort }: AdvertisedRoot): Promise<readonly Ad[]> {
  const { machine, generation } = await providerIdentity(root)
  const isFirst = (set: ServedSet) => set.channel === first.channel && set.arch === first.arch
  const sets = [...(await servedSets(root))].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)))
  const name = `plasmd-${ownLabel()}`
  return sets.map((set, index) => ({
    // DNS-SD names are for people (RFC 6763, 4.1.1): the host, and what is different about this one.
    name: index === 0 ? name : `${name} (${set.channel} ${set.arch})`,
    hostname: uniqueHostLabel(String(port), set.channel, set.arch),
    port,
    channel: set.channel,
    arch: set.arch,
    version: set.version ?? 'unversioned',
    txt: {
      sequence: String(set.sequence ?? 0),
      generation: String(generation),
      ...(machine ? { machine } : {}),
      ...identityTxt({ peerId, manifestDigest: set.manifest_digest, dhtPort }),
    },
    ipv6: bind.includes(':'),
    ...(bind === '0.0.0.0' || bind === '::' ? {} : { addresses: [bind] }),
  }))
}
