import type { HandoverKind } from '../agent/boot-record.ts'
import type { ServiceManager } from '../agent/service-owner.ts'
import type { Arch } from '../service/arch.ts'
import { asPlasmError } from '../service/errors.ts'
import type { NetworkEvidence } from './counters.ts'
import type { Accelerator } from './qemu-args.ts'
import type { Rootfs } from './rootfs.ts'
import type { Seconds } from './seconds.ts'
import type { Discovery, NetworkKind } from './topology.ts'

/** A foreign one gives no boot receipts. */
export type PlasmdKind = 'own' | 'foreign'

/** What `chain --json` prints as its last line: a contract that other tools read. */
export interface ChainResult {
  readonly ok: boolean
  readonly arch: Arch
  /** null when the run failed before an accelerator was chosen. */
  readonly accel: Accelerator | null
  /** Sum of the published artifacts, bytes; 0 when the run failed before it published. */
  readonly setBytes: number
  /** Whose plasmd the machines serve by; the origin's is always ours. */
  readonly plasmd: PlasmdKind
  /** What was asked for: the system of the serve stage. */
  readonly rootfs: Rootfs
  /** What was asked for, both. */
  readonly network: NetworkKind
  readonly discovery: Discovery
  /** Who restarts plasmd on the last of the finished machines; null before there is one. */
  readonly serviceManager: ServiceManager | null
  /** Whether the boot receipts of all these machines lead to the origin by exactly these machines' keys. */
  readonly lineageVerified: boolean
  /** The finished ones, in order. */
  readonly generations: readonly Generation[]
  /** There exactly when `ok` is false. */
  readonly error?: ChainError
}

export interface Generation {
  readonly machine: string
  readonly generation: number
  readonly address: string
  readonly runId: string
  readonly provider: { readonly machine: string; readonly generation: number; readonly url: string }
  readonly discoveredBy: string
  readonly manifestDigest: string
  readonly handover: HandoverKind
  /** As its report says; `evidence.rootfs` is what its console shows. */
  readonly rootfs: string
  readonly serviceManager: ServiceManager
  /** Whether the set that it booted was signed by keys that its image trusts. */
  readonly signed: boolean
  /** libp2p peer id, bound to the machine by its signed reports. */
  readonly peerId: string | null
  readonly provenBy: 'receipt' | null
  readonly seconds: Seconds
  readonly memory: { readonly totalMiB: number; readonly lowestAvailableMiB: number }
  readonly evidence: Evidence
}

export interface Evidence {
  readonly kernelBanners: number
  readonly resets: number
  readonly nonceInServeStage: boolean
  /** Flavour that the console shows init switching to after the second banner; `none` when it shows nothing of it. */
  readonly rootfs: string
  /** Bridge counters, bytes of IP packets from the provider's port 8080 to this machine. */
  readonly bytesFromProvider: number
  /** Above what asking the others for their manifests explains. */
  readonly bytesFromOthers: number
  readonly probeBytes: number
  readonly servesSameSet: boolean
  readonly bootIdChanged: boolean
  readonly network: NetworkEvidence
}

export interface ChainError {
  readonly code: string
  readonly step: string
  readonly machine: string | null
  readonly message: string
  readonly hint: string | null
}

/** Errors of the harness carry the facts `step` and, where one is concerned, `machine`. */
export function chainError(thrown: unknown): ChainError {
  const { code, message, facts, hint } = asPlasmError(thrown)
  const text = (value: unknown) => (typeof value === 'string' ? value : null)
  return { code, step: text(facts.step) ?? 'harness', machine: text(facts.machine), message, hint: hint ?? null }
}
