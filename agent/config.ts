import type { Arch } from '../service/arch.ts'
import type { Stage } from './events.ts'

/** INTEROP: kernel command line. Absent is `local`; anything else is refused, never taken for a wider one. */
export type PhaseMode = 'internet' | 'local' | 'private'

/** Everything the agent was told, from flags, kernel command line, /etc/plasm/agent.toml and defaults, in that order. */
export interface AgentConfig {
  readonly mode: PhaseMode
  readonly channel: string
  readonly arch: Arch
  /** `phase.provider=`: base URLs, may be several, comma-separated. */
  readonly providers: readonly string[]
  readonly stage: Stage
  /** `plasm.run=`, a UUID from the harness. */
  readonly runId: string | null
  /** `plasm.token=`: HMAC key of the reports. */
  readonly token: string | null
  /** `plasm.report=` URL. */
  readonly reportUrl: string | null
  /** `plasm.boot=`: set by the fetch stage for the kernel it kexecs. */
  readonly bootNonce: string | null
  /** From the machine id or the MAC, the same in both stages; also the host name. */
  readonly machine: string
  readonly storeRoot: string
  /** Directories where other programs leave what they fetched (DESIGN decision 8). */
  readonly inboxes: readonly string[]
  readonly port: number
}
