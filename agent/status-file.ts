import type { BootRecord, MemoryBudget } from './boot-record.ts'
import type { DiskRoom } from './disk-room.ts'
import type { ReportedError, Stage, StepName } from './events.ts'
import type { ServiceManager } from './service-owner.ts'
import type { BadSet } from './trial-file.ts'

/** Written atomically by the running agent, read by `plasm-agent status`. */
export const STATUS_FILE = '/run/plasm/status.json'

export interface Status {
  readonly version: 1
  readonly agent: {
    readonly version: string
    readonly commit: string
    readonly pid: number
    readonly startedAt: string
  }
  readonly machine: string
  /** Loopback left out: IPv4, IPv6, then the IPv6 link-local ones with their scope (`fe80::1%eth0`). */
  readonly addresses: readonly string[]
  readonly runId: string | null
  /** This machine's libp2p peer id. */
  readonly peerId: string | null
  /** Who booted whom, this machine's boot first: signed claims, since keys are free to make. */
  readonly lineage: ReadonlyArray<{ readonly provider: string; readonly client: string; readonly bytes: number }>
  readonly bootId: string
  readonly stage: Stage
  readonly step: StepName
  readonly ready: boolean
  /** One sentence; null when ready. */
  readonly notReadyBecause: string | null
  readonly record: BootRecord | null
  readonly artifacts: ReadonlyArray<{
    readonly role: string
    readonly filename: string
    readonly bytes: number
    readonly hash: string
  }>
  readonly plasmd: {
    readonly state: 'starting' | 'running' | 'hung' | 'backoff' | 'failed' | 'stopped'
    readonly pid: number | null
    readonly startedAt: string | null
    /** When it is started again, where it ended and who starts it tells. */
    readonly nextStartAt: string | null
    readonly restarts: number
    readonly lastExit: string | null
    readonly url: string
    readonly bytesServed: number | null
    readonly requests: number | null
    readonly managedBy: ServiceManager
    /** Somebody else's program, not this one under its other name: it gives no boot receipts. */
    readonly foreign: boolean
  } | null
  readonly advertising: boolean
  /** What is known of newer sets; null until this machine was ready for the first time, and in private mode. */
  readonly updates: UpdateStatus | null
  readonly lastReport: {
    readonly at: string
    readonly type: string
    readonly delivered: boolean
    readonly error: string | null
  } | null
  readonly lastError: (ReportedError & { readonly step: StepName }) | null
  readonly memory: {
    readonly totalMiB: number
    readonly availableMiB: number
    readonly lowestAvailableMiB: number
    readonly budget: MemoryBudget | null
  }
  /** The data disk; null where all is in memory. */
  readonly disk: DiskRoom | null
  readonly updatedAt: string
}

/** How a machine that serves looks for newer sets (updates.ts). */
export interface UpdateStatus {
  /** The last look that ended. */
  readonly lastLook: {
    readonly at: string
    /** How many other providers there were. */
    readonly found: number
    /** Those whose set was turned down, and why. */
    readonly refused: ReadonlyArray<{ readonly url: string; readonly reason: string }>
    /** What went wrong, in looking or in fetching. */
    readonly error: ReportedError | null
  } | null
  /** The newest set that this machine would take, and who has it; null: what is served is the newest known. */
  readonly newest: {
    readonly sequence: number
    readonly version: string
    readonly manifestDigest: string
    readonly bytes: number
    readonly providers: readonly string[]
  } | null
  readonly fetching: { readonly from: string; readonly bytes: number; readonly totalBytes: number } | null
  readonly nextLookAt: string
  /** Sets that were booted here and did not become ready, oldest first: they are never taken again. */
  readonly bad: readonly BadSet[]
  /** To `plasm-agent update`, the last few. */
  readonly answers: readonly UpdateAnswer[]
}

export interface UpdateAnswer {
  /** The request's. */
  readonly id: string
  /** `applied`: a newer set was fetched, and is served. `booting`: it is fetched, and this kernel ends. */
  readonly outcome: 'up-to-date' | 'newer' | 'applied' | 'booting' | 'failed'
  readonly error: ReportedError | null
}
