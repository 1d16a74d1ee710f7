import type { Arch } from '../service/arch.ts'

/** How a provider was found. `known`: it was booted from before; `cache`: the set was on this machine's own disk. */
export type DiscoverySource = 'static' | 'mdns' | 'dht' | 'known' | 'cache'

/** How the boot set crossed kexec (DESIGN decision 5). */
export type HandoverKind = 'carry' | 'disk' | 'refetch'

/** All MiB. What preflight counted before it allowed the boot; `needMiB <= availableMiB` held. */
export interface MemoryBudget {
  readonly totalMiB: number
  readonly availableMiB: number
  readonly needMiB: number
  /** Room on the filesystem that holds the new initrd (the initramfs's tmpfs: half of RAM). */
  readonly rootfsFreeMiB: number
  readonly initrdMiB: number
  readonly kernelMiB: number
}

export interface StepTiming {
  readonly step: string
  readonly milliseconds: number
  readonly outcome: 'done' | 'skipped' | 'failed'
}

/**
 * One provider that was considered, and what became of it. `verdict` is `chosen`, or `rejected: <why>`, or `ranked <n>: <why not
 * first>`; all else is what it claimed.
 */
export interface CandidateVerdict {
  readonly url: string
  readonly source: DiscoverySource
  readonly name: string | null
  readonly generation: number | null
  readonly sequence?: number
  readonly peerId?: string
  readonly verdict: string
}

/**
 * What a machine knows about its own boot. Written by the fetch stage as the last file of the handover, read by the
 * serve stage. JSON, file {@link HANDOVER.record}.
 */
export interface BootRecord {
  readonly version: 1
  readonly runId: string | null
  readonly machine: string
  /** This machine's libp2p peer id. */
  readonly peerId: string | null
  /** The provider's generation + 1; a provider that does not say counts as an origin (0). */
  readonly generation: number
  readonly provider: {
    readonly url: string
    readonly name: string | null
    readonly generation: number
    readonly discoveredBy: DiscoverySource
    /** Its peer id as its receipt proves; null where it gave none. */
    readonly peerId: string | null
    readonly provenBy: 'receipt' | null
  }
  readonly set: {
    readonly manifestDigest: string
    readonly channel: string
    readonly arch: Arch
    readonly version: string
    readonly sequence: number
    readonly bytes: number
    /** Key ids that signed the manifest and count; empty for an unsigned one. */
    readonly signedBy: readonly string[]
  }
  readonly handover: HandoverKind
  readonly budget: MemoryBudget
  /** Lowest MemAvailable seen in the fetch stage, MiB. */
  readonly lowestAvailableMiB: number
  /** /proc/sys/kernel/random/boot_id of the fetch stage's kernel. */
  readonly fetchBootId: string
  /** Fresh per boot; also `plasm.boot=` on the kexeced kernel's command line. */
  readonly bootNonce: string
  readonly candidates: readonly CandidateVerdict[]
  readonly timings: readonly StepTiming[]
}
