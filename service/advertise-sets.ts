import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Ad, type Advertisement, advertise } from './advertise.ts'
import type { Arch } from './arch.ts'
import { asPlasmError } from './errors.ts'
import { ownLabel, uniqueHostLabel } from './host-label.ts'
import { providerIdentity, type ServedSet, servedSets } from './status.ts'

/** Sets are published and interfaces come up while a provider runs; browsers need not know at once. */
const LOOK_EVERY_MS = 5000
/** What is only being probed for was never announced: it needs no goodbye, so nobody waits for it for long. */
const STOP_WITHIN_MS = 1500

export interface AdvertisedRoot {
  readonly root: string
  readonly port: number
  readonly bind: string
  /** The set that gets the plain instance name. */
  readonly first: { readonly channel: string; readonly arch: Arch }
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** Keeps one advertisement per channel and arch, with what each serves at the moment. mDNS that fails is logged and tried again. */
export function advertiseSets(options: AdvertisedRoot): Advertisement {
  const running = new Map<string, Advertisement>()
  const wake = new AbortController()
  let stopped = false

  const look = async () => {
    const wanted = new Map((await wantedAds(options)).map((ad) => [JSON.stringify(ad), ad]))
    for (const [key, advertisement] of running) {
      if (wanted.has(key)) continue
      running.delete(key)
      await advertisement.stop()
    }
    for (const [key, ad] of wanted) {
      if (stopped || running.has(key)) continue
      const advertisement = await advertise(ad)
      if (stopped) return advertisement.stop()
      running.set(key, advertisement)
      options.log.info(
        { name: ad.name, channel: ad.channel, arch: ad.arch, version: ad.version },
        'advertising by mDNS',
      )
    }
  }
  const keepLooking = async () => {
    while (!stopped) {
      await look().catch((thrown: unknown) => {
        const { code, message, hint } = asPlasmError(thrown)
        options.log.warn({ code, hint }, message)
      })
      await sleep(LOOK_EVERY_MS, undefined, { signal: wake.signal }).catch(() => {})
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

async function wantedAds({ root, port, bind, first }: AdvertisedRoot): Promise<readonly Ad[]> {
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
    txt: { sequence: String(set.sequence ?? 0), generation: String(generation), ...(machine ? { machine } : {}) },
    ...(bind === '0.0.0.0' || bind === '::' ? {} : { addresses: [bind] }),
  }))
}
