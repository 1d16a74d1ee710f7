import { makeNodeKey, type NodeKey } from '../../service/node-key.ts'
import { issueReceipt, type Receipt, readReceipt } from '../../service/receipt.ts'

export const NONCE = '0123456789abcdef'.repeat(2)
export const MANIFEST_DIGEST = `sha256:${'d'.repeat(64)}`

/** What a chain of boots leaves: keys from the origin on, and the receipts of its last machine, own receipt first. */
export interface TestChain {
  readonly keys: readonly NodeKey[]
  readonly envelopes: readonly unknown[]
}

export function receiptFor(
  provider: NodeKey,
  client: NodeKey,
  above: readonly unknown[],
  change: Partial<Receipt> = {},
): unknown {
  return issueReceipt(provider, {
    client: client.peerId,
    nonce: NONCE,
    manifestDigest: MANIFEST_DIGEST,
    channel: 'stable',
    arch: 'x86_64',
    bytes: 50_000_000,
    issuedAt: '2026-11-25T00:00:00Z',
    parent: above[0] === undefined ? null : readReceipt(above[0]).digest,
    ...change,
  })
}

/** Boots so many machines, each from the one before it. */
export function bootChain(machines: number, change: Partial<Receipt> = {}): TestChain {
  const keys = [makeNodeKey()]
  let envelopes: readonly unknown[] = []
  for (let machine = 0; machine < machines; machine += 1) {
    const client = makeNodeKey()
    envelopes = [receiptFor(keys.at(-1)!, client, envelopes, change), ...envelopes]
    keys.push(client)
  }
  return { keys, envelopes }
}
