import { readTrustPolicy, type TrustPolicy } from '../service/trust-policy.ts'
import { adoptIdentity, type Identity } from './adopt-identity.ts'
import { type Advertise, firstAddress, mdns } from './advertise-step.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import type { DiscoverOptions } from './discover.ts'
import { isForeign } from './foreign-plasmd.ts'
import { type Lock, takeLock } from './lock.ts'
import { ROOTFS_FILE } from './own-system.ts'
import { ROLLING, type RollingParts } from './rolling-parts.ts'
import { serviceManager } from './service-manager.ts'
import type { ServiceManager } from './service-owner.ts'
import { RUN_DIRECTORY, STATE_DIRECTORY } from './state-directory.ts'
import type { SupervisionLimits } from './supervise.ts'

/** Where the serve stage runs: the machine it is on, or what a test puts in its place. */
export interface ServeSetting {
  readonly sources: ConfigSources
  readonly trustFile: string | undefined
  /** Status, logs and the pid of plasmd. */
  readonly runDirectory: string
  readonly releaseFile: string
  readonly rootfsFile: string
  /** What this machine remembers between boots. */
  readonly stateDirectory: string
  /** Program, and arguments before `serve`. */
  readonly plasmd: readonly [string, ...string[]]
  readonly serviceManager: ServiceManager
  readonly advertise: Advertise
  readonly address: () => string | undefined
  readonly supervision: SupervisionLimits | undefined
  /** How often what is served is looked at again, ms. */
  readonly recheckEvery: number
  /** How often all of it is read again, ms: a file that rots does not change its time. */
  readonly rereadEvery: number
  /** How often newer sets are looked for, ms; with jitter, and less often while it fails (update-schedule.ts). */
  readonly updateEvery: number
  /** How other providers are looked for when the set is lost; undefined: as in the fetch stage. */
  readonly discovery: DiscoverOptions | undefined
  /** Where and how another kernel is started from here. */
  readonly rolling: RollingParts
}

export const thisMachine = (): ServeSetting => ({
  sources: {},
  trustFile: undefined,
  runDirectory: RUN_DIRECTORY,
  releaseFile: '/etc/plasm/release',
  rootfsFile: ROOTFS_FILE,
  stateDirectory: STATE_DIRECTORY,
  plasmd: ['plasmd'],
  serviceManager: serviceManager(),
  advertise: mdns,
  address: firstAddress,
  supervision: undefined,
  recheckEvery: 30_000,
  rereadEvery: 6 * 3600_000,
  updateEvery: 5 * 60_000,
  discovery: undefined,
  rolling: ROLLING,
})

export interface Told {
  readonly config: AgentConfig
  readonly policy: TrustPolicy
  readonly lock: Lock
  readonly identity: Identity
  /** Whether plasmd is another program than this one (foreign-plasmd.ts). */
  readonly foreignPlasmd: boolean
}

/**
 * @throws PlasmError `config-invalid` | `trust-missing` | `trust-policy-invalid` | `already-running` | `node-key-exposed` |
 * `node-key-invalid`
 */
export async function configure({ sources, trustFile, plasmd, ...places }: ServeSetting): Promise<Told> {
  const config = await readConfig(sources)
  const policy = await readTrustPolicy(trustFile)
  const lock = await takeLock(config.storeRoot)
  const foreignPlasmd = await isForeign(plasmd[0])
  const identity = await adoptIdentity(config, places, { outsideStore: foreignPlasmd })
  return { config, policy, lock, identity, foreignPlasmd }
}

/** Aborted by the first SIGTERM or SIGINT; the second one ends the process as it would without us. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = () => {
    controller.abort()
    process.off('SIGTERM', stop).off('SIGINT', stop)
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  return controller.signal
}
