import { asPlasmError, PlasmError } from './errors.ts'
import { readReceipt, type SignedReceipt } from './receipt.ts'

/** More machines in a row than anybody boots; a longer chain is somebody playing. */
export const LINEAGE_MAX = 64

export interface Link {
  readonly provider: string
  readonly client: string
  readonly bytes: number
}

export interface Lineage {
  /** This machine's own boot first, the origin's client last. */
  readonly links: readonly Link[]
  /** Peer id at the end: nobody booted it, as far as it says. */
  readonly origin: string
  /** Digest of the first receipt's payload. */
  readonly digest: string
}

/** What the first receipt has to be about; what is left out is not looked at. */
export interface LineageExpectation {
  readonly client: string
  readonly nonce?: string
  readonly manifestDigest?: string
}

/**
 * Verifies boot receipts that chain from a machine to its origin: every signature, that the first is for this client, nonce and
 * set, and that each one's provider is the next one's client and names exactly that receipt as its parent. What the keys
 * belong to is not said by it: keys are free to make, so a liar may invent ancestors of its own, and only who knows the
 * machines' keys (the harness does) can tell. Pure.
 * @param envelopes own receipt first, then the provider's, up to the origin's
 * @throws PlasmError `lineage-forged` | `lineage-replayed` | `lineage-broken` (facts: `link`, counted from 0; `field`)
 */
export function verifyLineage(envelopes: readonly unknown[], expected: LineageExpectation): Lineage {
  if (envelopes.length === 0) throw broken(0, 'receipt', 'there is none')
  if (envelopes.length > LINEAGE_MAX) throw broken(LINEAGE_MAX, 'receipt', `${envelopes.length} are too many`)
  const receipts = envelopes.map(read)
  const first = receipts[0]!
  for (const field of ['client', 'nonce', 'manifestDigest'] as const) {
    if (expected[field] !== undefined && first[field] !== expected[field]) throw replayed(field, first[field])
  }
  const seen = new Set([first.client])
  for (const [index, { provider, parent }] of receipts.entries()) {
    const next = receipts[index + 1]
    if (seen.has(provider)) throw broken(index, 'provider', `${provider} is its own ancestor`)
    seen.add(provider)
    if (parent !== (next?.digest ?? null)) throw broken(index, 'parent', `${parent} is not the receipt that follows`)
    if (next && next.client !== provider) {
      throw broken(index + 1, 'client', `${next.client} is not ${provider}, whose boot it has to be`)
    }
  }
  return {
    links: receipts.map(({ provider, client, bytes }) => ({ provider, client, bytes })),
    origin: receipts.at(-1)!.provider,
    digest: first.digest,
  }
}

function read(envelope: unknown, index: number): SignedReceipt {
  try {
    return readReceipt(envelope)
  } catch (thrown) {
    const { message, facts } = asPlasmError(thrown)
    throw new PlasmError('lineage-forged', `${message} (link ${index})`, {
      facts: { link: index, field: facts.field ?? null },
      cause: thrown,
    })
  }
}

function replayed(field: string, found: string): PlasmError {
  return new PlasmError('lineage-replayed', `the boot receipt is of another boot: its ${field} is ${found}`, {
    facts: { link: 0, field },
  })
}

function broken(link: number, field: string, problem: string): PlasmError {
  return new PlasmError('lineage-broken', `the boot receipts do not chain: ${field} of link ${link}: ${problem}`, {
    facts: { link, field },
  })
}
