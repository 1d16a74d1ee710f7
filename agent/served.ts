import type { BootRecord } from './boot-record.ts'
import type { StoredSet } from './publish.ts'

/** What this machine serves, and how it came by it. */
export interface Served {
  readonly set: StoredSet
  readonly record: BootRecord
}
