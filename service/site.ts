import type { Arch } from './arch.ts'
import type { ClientBytes } from './client-bytes.ts'
import type { DigestCache } from './digest-cache.ts'
import type { StoredLineage } from './lineage-file.ts'
import type { NodeKey } from './node-key.ts'
import type { TransferSlots } from './transfers.ts'

/** What one running provider is made of; every answer is made from it. */
export interface Site {
  readonly root: string
  /** Channel and arch of `GET /manifest.json`. */
  readonly channel: string
  readonly arch: Arch
  readonly digests: DigestCache
  readonly transfers: TransferSlots
  /** Signs boot receipts; its peer id is this provider's. */
  readonly key: NodeKey
  /** The receipts that led to this machine; undefined for an origin. */
  readonly lineage: () => Promise<StoredLineage | undefined>
  readonly clients: ClientBytes
  /** Milliseconds, performance.now(). */
  readonly startedAt: number
  readonly metrics: Metrics
}

export interface Metrics {
  requests: number
  /** Bytes of files and manifests that the kernel has taken. */
  bytesServed: number
}
