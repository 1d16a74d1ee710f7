import { asPlasmError, PlasmError } from '../service/errors.ts'
import type { Lineage } from '../service/lineage.ts'
import type { NodeKey } from '../service/node-key.ts'
import type { Place } from './candidate.ts'
import { connectProvider, type ProviderConnection, postDocument } from './http-body.ts'
import type { VerifiedManifest } from './verify.ts'

const LIMITS = { connectMs: 3_000, headersMs: 3_000, stallMs: 3_000 }

/** Takes a moment in a guest, and only who has chosen a provider needs it. */
const loadReceipts = () =>
  Promise.all([
    import('../service/receipt-request.ts'),
    import('../service/lineage-file.ts'),
    import('../service/lineage.ts'),
  ])

/** A provider that has signed that this boot's set came from it, and how it came to have it. */
export interface Proven {
  readonly peerId: string
  /** The receipt of this boot first, then the provider's own, up to the origin's. */
  readonly envelopes: readonly unknown[]
}

/** What a provider that gives no receipts is: booted from all the same, since its bytes are verified by themselves. */
export interface Unproven {
  readonly unproven: string
}

export interface BootToProve {
  readonly provider: Place
  readonly nonce: string
  readonly verified: VerifiedManifest
}

/**
 * Asks a provider to sign, with this boot's nonce, that the set was fetched from it (service/receipt.ts).
 * @throws PlasmError `receipt-invalid` when it answers with something that does not verify (facts: `provider`, `reason`, and
 * `link` and `field` of the error that is the reason)
 */
export async function requestReceipt(key: NodeKey, boot: BootToProve): Promise<Proven | Unproven> {
  const [{ writeReceiptRequest }, { LINEAGE_MAX_BYTES }, { verifyLineage }] = await loadReceipts()
  const { digest: manifestDigest, manifest } = boot.verified
  const { nonce } = boot
  const request = writeReceiptRequest(key, { nonce, manifestDigest, channel: manifest.channel, arch: manifest.arch })
  const connection = await connectProvider(boot.provider, LIMITS)
  try {
    const answer = await ask(connection, request, LINEAGE_MAX_BYTES)
    if ('unproven' in answer) return answer
    const envelopes = envelopesIn(answer.body, boot.provider.url)
    const lineage = check(
      () => verifyLineage(envelopes, { client: key.peerId, nonce, manifestDigest }),
      boot.provider.url,
    )
    return { peerId: lineage.links[0]!.provider, envelopes }
  } finally {
    connection.close()
  }
}

/** Nothing but an answer can be wrong: a provider that is gone, or has forgotten, gives no receipt. */
async function ask(
  connection: ProviderConnection,
  request: Buffer,
  limit: number,
): Promise<{ body: Buffer } | Unproven> {
  try {
    return { body: await postDocument(connection, '/receipts', request, limit) }
  } catch (thrown) {
    const { code, message, facts } = asPlasmError(thrown)
    if (code === 'body-too-long') throw invalid(connection.url, message, code, thrown)
    return { unproven: code === 'http-status' ? reasonOf(Number(facts.status)) : message }
  }
}

/** 501: Python's http.server; 405 and 404: other file servers, and every plasmd before there were receipts. */
function reasonOf(status: number): string {
  if ([404, 405, 501].includes(status)) return 'the provider gives no receipts'
  return `the provider gives no receipt: it answers ${status}`
}

function envelopesIn(body: Buffer, provider: string): readonly unknown[] {
  try {
    const { receipt, lineage } = JSON.parse(body.toString('utf8')) as { receipt?: unknown; lineage?: unknown }
    if (receipt && Array.isArray(lineage)) return [receipt, ...lineage]
  } catch {
    // Said below.
  }
  throw invalid(provider, 'the answer has no receipt and lineage in it', 'malformed')
}

function check(verify: () => Lineage, provider: string): Lineage {
  try {
    return verify()
  } catch (thrown) {
    const { code, message } = asPlasmError(thrown)
    throw invalid(provider, message, code, thrown)
  }
}

function invalid(provider: string, problem: string, reason: string, cause?: unknown): PlasmError {
  const { link = null, field = null } = cause instanceof PlasmError ? cause.facts : {}
  return new PlasmError('receipt-invalid', `${provider} gives a receipt that proves nothing: ${problem}`, {
    facts: { provider, reason, link, field },
    hint: 'do not trust that provider: it claims to be what it is not',
    cause,
  })
}
