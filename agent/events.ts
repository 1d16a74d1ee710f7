import type { Facts } from '../service/errors.ts'
import type { BootRecord, DiscoverySource } from './boot-record.ts'
import type { OwnSystem } from './own-system.ts'

/** The steps, in the order in which data flows through them (DESIGN: the way of the data). */
export const FETCH_STEPS = [
  'config',
  'discover',
  'manifests',
  'verify',
  'rank',
  'preflight',
  'fetch',
  'receipt',
  'handover',
  'kexec-load',
  'kexec-exec',
] as const
export const SERVE_STEPS = ['config', 'adopt', 'provider', 'self-check', 'advertise', 'ready', 'watch'] as const
/** Off the way to ready: taken only when the stored set is lost. */
export const MENDING_STEPS = ['refetch'] as const

/** Beside `watch`: taken when a newer set is there (fetch-newer.ts). */
export const UPDATE_STEPS = ['update'] as const

export type Stage = 'fetch' | 'serve'
export type StepName = (typeof FETCH_STEPS | typeof SERVE_STEPS | typeof MENDING_STEPS | typeof UPDATE_STEPS)[number]

export interface ReportedError {
  readonly code: string
  readonly message: string
  readonly facts: Facts
  readonly hint?: string
}

/** Everything the agent reports, a closed union: a reader handles each `type` or fails to compile. */
export type AgentEvent =
  | { readonly type: 'stage-started'; readonly stage: Stage; readonly version: string; readonly commit: string }
  | { readonly type: 'step-started'; readonly stage: Stage; readonly step: StepName }
  | { readonly type: 'step-done'; readonly stage: Stage; readonly step: StepName; readonly milliseconds: number }
  | { readonly type: 'step-skipped'; readonly stage: Stage; readonly step: StepName; readonly reason: string }
  | {
      readonly type: 'step-failed'
      readonly stage: Stage
      readonly step: StepName
      readonly milliseconds: number
      readonly error: ReportedError
      /** The provider that was being used, where there was one. */
      readonly provider?: string
    }
  | {
      /** Somebody has given the fetch stage's machine an address. */
      readonly type: 'network-up'
      readonly addresses: readonly string[]
      /** Seconds since this kernel started: when DHCP answered, where that is written down, else when the agent saw it. */
      readonly uptime: number
    }
  | {
      readonly type: 'candidate'
      readonly url: string
      readonly source: DiscoverySource
      readonly generation: number | null
      readonly verdict: 'found' | 'chosen' | 'rejected'
      readonly reason?: string
    }
  | { readonly type: 'progress'; readonly step: 'fetch'; readonly bytes: number; readonly totalBytes: number }
  | {
      readonly type: 'kexec'
      readonly provider: string
      readonly manifestDigest: string
      readonly bootNonce: string
      /** Lowest MemAvailable of the whole fetch stage, MiB: the boot record is written before kexec loads, which takes most. */
      readonly lowestAvailableMiB: number
    }
  | {
      readonly type: 'ready'
      readonly record: BootRecord
      /** Boot receipts that led to this machine, its own first (service/receipt.ts); empty where its provider gave none. */
      readonly lineage: readonly unknown[]
      /** Content of /etc/plasm/release as booted, or null: proof of which published set runs. */
      readonly release: string | null
      readonly address: string
      readonly port: number
      /** Lowest MemAvailable over both stages, MiB, and MemTotal. */
      readonly memory: { readonly totalMiB: number; readonly lowestAvailableMiB: number }
      /** Absent from agents that know nothing of it: own-system.ts reads it. */
      readonly system?: OwnSystem
    }
  | { readonly type: 'not-ready'; readonly reason: string }

/** An event, and when it happened. */
export interface TimedEvent {
  readonly event: AgentEvent
  /** Seconds since this kernel started (/proc/uptime). */
  readonly uptime: number
}

/**
 * One report, as posted to `plasm.report=`: JSON, `Content-Type: application/json`,
 * `X-Plasm-Signature: sha256=<hex HMAC-SHA256 of the raw body, key = the UTF-8 bytes of plasm.token=>`.
 */
export interface Report {
  readonly version: 1
  readonly runId: string | null
  readonly machine: string
  /** This machine's libp2p peer id. */
  readonly peerId: string | null
  readonly bootId: string
  /** Counts up from 0 within a boot id. */
  readonly seq: number
  /** What happened since the report before it, oldest first; at least one. */
  readonly events: readonly TimedEvent[]
}

export const SIGNATURE_HEADER = 'x-plasm-signature'
