import type { NodeKey } from '../service/node-key.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { AgentConfig, ConfigSources } from './config.ts'
import type { DataDisk } from './data-disk.ts'
import type { DiscoverOptions } from './discover.ts'
import type { TransferLimits } from './http-body.ts'
import type { LoadMode } from './kexec.ts'
import type { MemoryWatch } from './memory.ts'
import type { Reporter } from './report.ts'
import type { EventSink, StepRunner } from './steps.ts'
import type { StoreBench } from './store-bench.ts'
import type { Workbench } from './workbench.ts'

/** What the fetch stage is given. Only tests give the optional parts. */
export interface BootParts {
  readonly sinks: readonly EventSink[]
  /** Opens the reporter once the configuration says where reports go. */
  readonly openReporter: (config: AgentConfig, peerId: string) => Pick<Reporter, 'sink' | 'flush'>
  readonly sources?: ConfigSources
  readonly trustFile?: string
  readonly scratchDirectory?: string
  /** What this machine remembers between boots. */
  readonly stateDirectory?: string
  /** What this machine remembers while it runs. */
  readonly runDirectory?: string
  readonly kexecLoadDisabledFile?: string
  /** The disk that is mounted for the machine's data. */
  readonly dataDisk?: () => DataDisk | undefined
  readonly discovery?: DiscoverOptions
  readonly transferLimits?: TransferLimits
  /** Ends the attempts. */
  readonly signal?: AbortSignal
}

/** All that lasts through the attempts of one fetch stage. */
export interface Attempts {
  readonly parts: BootParts
  readonly runner: StepRunner
  readonly config: AgentConfig
  readonly policy: TrustPolicy
  readonly key: NodeKey
  readonly workbench: Workbench
  /** The store on the data disk; undefined where there is none, and once the disk itself has failed. */
  bench: StoreBench | undefined
  readonly memory: MemoryWatch
  readonly flush: (milliseconds: number) => Promise<void>
  /** Base URL -> failures so far. */
  readonly failures: Map<string, number>
  readonly refusedModes: Set<LoadMode>
  /** This image accepts nothing of what was found. */
  refusedAll: boolean
}
