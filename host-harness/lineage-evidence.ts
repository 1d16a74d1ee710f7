import { asPlasmError } from '../service/errors.ts'
import { type Lineage, verifyLineage } from '../service/lineage.ts'

/** What a machine's boot receipts are held against: all of it known to the harness from elsewhere. */
export interface LineageFacts {
  /** From the machine's report that it is ready. */
  readonly envelopes: readonly unknown[]
  /** Peer id bound to the machine by its token. */
  readonly peerId: string | null
  /** Peer ids of the provider, the provider's provider, … up to the origin, as bound to them. */
  readonly ancestry: readonly string[]
  /** Whether the provider gives receipts: from one with a foreign plasmd there must be none. */
  readonly receipts: boolean
  /** `plasm.boot=` of the second kernel, as its console shows it. */
  readonly bootNonce: string | null
  readonly manifestDigest: string
}

/**
 * Whether boot receipts say exactly what the harness has seen itself: these machines, in this order, this boot, this set. Who
 * owns a key is known here, so an invented machine in between is found out, too.
 * @returns what is wrong, one sentence; undefined when nothing is
 */
export function lineageProblem(facts: LineageFacts): string | undefined {
  const { envelopes, peerId, ancestry, receipts, bootNonce, manifestDigest } = facts
  if (peerId === null) return 'the machine never reported a peer id'
  if (bootNonce === null) return 'the second kernel was not given a nonce (plasm.boot=)'
  if (!receipts) return envelopes.length === 0 ? undefined : 'the provider gives no receipts, and yet there are some'
  let lineage: Lineage
  try {
    lineage = verifyLineage(envelopes, { client: peerId, nonce: bootNonce, manifestDigest })
  } catch (thrown) {
    const { code, message } = asPlasmError(thrown)
    return `${message} [${code}]`
  }
  const providers = lineage.links.map(({ provider }) => provider)
  if (providers.length === ancestry.length && providers.every((provider, index) => provider === ancestry[index])) {
    return undefined
  }
  return `the receipts lead by ${providers.join(', ')}, the machines are ${ancestry.join(', ')}`
}
