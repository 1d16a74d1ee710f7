import type { SupervisedPhase } from './supervise.ts'

/** Who restarts plasmd (DESIGN decision 10). */
export type ServiceManager = 'systemd' | 'openrc' | 'agent'

/** What is known about the plasmd that serves this machine's store. */
export interface PlasmdView {
  /** `failed`: its owner has given up, and a person has to start it again. */
  readonly state: Exclude<SupervisedPhase, 'stopping'> | 'failed'
  readonly pid: number | null
  /** RFC 3339. */
  readonly startedAt: string | null
  /** When it is started again, RFC 3339, where it ended and that is known. */
  readonly nextStartAt: string | null
  readonly restarts: number
  readonly lastExit: string | null
  /** Its own counters; null while it does not answer. */
  readonly bytesServed: number | null
  readonly requests: number | null
}

/**
 * The one owner of plasmd's restarts (DESIGN decision 10). The agent as parent is one driver (plasmd-process.ts); systemd
 * (systemd-owner.ts) and OpenRC (openrc-owner.ts) are others, which restart it by themselves and are watched (watched-plasmd.ts).
 */
export interface ServiceOwner {
  readonly managedBy: ServiceManager
  /** Asks for a running plasmd; asking again changes nothing. */
  start(): void
  view(): PlasmdView
  /** Called after every change of state. @returns what ends it */
  onChange(listener: () => void): () => void
  /** Ends plasmd and waits until it is gone. */
  stop(): Promise<void>
}
