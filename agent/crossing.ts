import type { HandoverKind } from './boot-record.ts'
import type { Place } from './candidate.ts'
import type { FetchProgress } from './fetch-set.ts'
import type { HandedOverSet, OwnAccount } from './handover.ts'
import type { TransferLimits } from './http-body.ts'

/** A way for one set across kexec, chosen by preflight (DESIGN decision 5). What one provider left verified is there for the next. */
export interface Crossing {
  readonly kind: HandoverKind
  /** @throws PlasmError the provider's, or those of where it is written */
  fetch(
    provider: Place,
    onProgress: (progress: FetchProgress) => void,
    limits: TransferLimits | undefined,
  ): Promise<WholeSet>
  /** Drops what was fetched: it is not to be trusted to have come from where it seemed to. */
  drop(): Promise<void>
}

/** A set of which every byte is verified and where it crosses. */
export interface WholeSet {
  /** @throws PlasmError `scratch-unsafe` | `scratch-full` | of store-errors.ts | `memory-too-small` */
  handOver(account: OwnAccount): Promise<HandedOverSet>
}
