import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { LINEAGE_MAX, type Lineage, type LineageExpectation, verifyLineage } from './lineage.ts'
import { RECEIPT_MAX_BYTES } from './receipt.ts'

export const LINEAGE_MAX_BYTES = LINEAGE_MAX * RECEIPT_MAX_BYTES

/** How a machine came to boot: its own receipt, its provider's, and so on (store-layout.ts: `.lineage.json`). */
export interface StoredLineage extends Lineage {
  readonly envelopes: readonly unknown[]
}

/**
 * Reads a lineage. One that is not this machine's, or cannot be read, is none: whoever serves with it would only be found out.
 * @param expected at least this machine's peer id
 */
export async function readLineage(file: string, expected: LineageExpectation): Promise<StoredLineage | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stat = await handle.stat()
      if (!stat.isFile() || stat.size > LINEAGE_MAX_BYTES) return undefined
      const envelopes: unknown = JSON.parse(await handle.readFile('utf8'))
      if (!Array.isArray(envelopes)) return undefined
      return { envelopes, ...verifyLineage(envelopes, expected) }
    } finally {
      await handle.close()
    }
  } catch {
    return undefined
  }
}
