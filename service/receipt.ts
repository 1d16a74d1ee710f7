import * as v from 'valibot'
import { type Arch, canonicalArch } from './arch.ts'
import { type Envelope, envelopeDocument, pae, parseEnvelope, signPayload } from './dsse.ts'
import { verifyStrict } from './ed25519.ts'
import { PlasmError } from './errors.ts'
import { CHANNEL, sha256Of } from './manifest.ts'
import type { NodeKey } from './node-key.ts'
import { isPeerId, publicKeyOf } from './peer-id.ts'
import { parseStrictJson } from './strict-json.ts'

export const RECEIPT_PAYLOAD_TYPE = 'application/vnd.phase.boot-receipt+json'
/** A receipt's envelope is about 1 KiB. */
export const RECEIPT_MAX_BYTES = 4096
export const NONCE = /^[0-9a-f]{32}$/

const SHA256 = /^sha256:[0-9a-f]{64}$/
const peerId = v.pipe(v.string(), v.check(isPeerId, 'is not the peer id of an Ed25519 key'))
const digest = v.pipe(v.string(), v.regex(SHA256, 'is not sha256:<64 hex digits>'))

const receiptSchema = v.object({
  receipt_version: v.literal(1),
  provider: peerId,
  client: peerId,
  nonce: v.pipe(v.string(), v.regex(NONCE, 'is not 32 hex digits')),
  manifest_digest: digest,
  channel: v.pipe(v.string(), v.regex(CHANNEL, 'is not a channel name')),
  arch: v.string(),
  bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  issued_at: v.pipe(v.string(), v.isoTimestamp()),
  parent: v.nullable(digest),
})

/** What a provider signs once a client has fetched a boot set from it. */
export interface Receipt {
  /** Peer id of the one that served, and signed this. */
  readonly provider: string
  readonly client: string
  /** The client's, fresh for each boot: 32 hex digits. */
  readonly nonce: string
  readonly manifestDigest: string
  readonly channel: string
  readonly arch: Arch
  /** Artifact bytes of the set that went from provider to client. */
  readonly bytes: number
  /** RFC 3339, by the provider's clock, which may be wrong. */
  readonly issuedAt: string
  /** Digest of the payload of the provider's own receipt; null for an origin, which nobody booted. */
  readonly parent: string | null
}

/** A receipt that its provider signed, as said by the key in the provider's peer id. */
export interface SignedReceipt extends Receipt {
  /** sha256 of the payload: what a child's `parent` is. */
  readonly digest: string
}

/** Signs a receipt. @returns its envelope as JSON can hold it */
export function issueReceipt(key: NodeKey, receipt: Omit<Receipt, 'provider'>): unknown {
  const payload = Buffer.from(
    JSON.stringify({
      receipt_version: 1,
      provider: key.peerId,
      client: receipt.client,
      nonce: receipt.nonce,
      manifest_digest: receipt.manifestDigest,
      channel: receipt.channel,
      arch: receipt.arch,
      bytes: receipt.bytes,
      issued_at: receipt.issuedAt,
      parent: receipt.parent,
    }),
  )
  const signatures = [signPayload(RECEIPT_PAYLOAD_TYPE, payload, key.privateKey)]
  const document = envelopeDocument({ payloadType: RECEIPT_PAYLOAD_TYPE, payload, signatures })
  return JSON.parse(document.toString('utf8'))
}

/**
 * Reads a receipt. Whose key has to have signed it is said by the receipt itself, so its payload is parsed, strictly, before
 * the signature is looked at.
 * @param envelope as it stands in a JSON document
 * @throws PlasmError `lineage-forged` (facts: `field`)
 */
export function readReceipt(envelope: unknown): SignedReceipt {
  const { payload, signatures } = parsed(envelope)
  const { receipt_version: _, manifest_digest, issued_at, arch, ...rest } = fields(payload)
  const canonical = canonicalArch(arch)
  if (canonical !== arch) throw forged('arch', 'is not an architecture known here')
  const message = pae(RECEIPT_PAYLOAD_TYPE, payload)
  if (signatures.length !== 1 || !verifyStrict(publicKeyOf(rest.provider)!, message, signatures[0]!.sig)) {
    throw forged('signatures', `are not one by the provider ${rest.provider}`)
  }
  return { ...rest, manifestDigest: manifest_digest, issuedAt: issued_at, arch: canonical, digest: sha256Of(payload) }
}

function parsed(envelope: unknown): Envelope {
  try {
    return parseEnvelope(Buffer.from(JSON.stringify(envelope) ?? ''), RECEIPT_PAYLOAD_TYPE, RECEIPT_MAX_BYTES)
  } catch (thrown) {
    const { message, facts } = thrown as PlasmError
    throw forged(String(facts.field ?? '(document)'), message, thrown)
  }
}

function fields(payload: Uint8Array): v.InferOutput<typeof receiptSchema> {
  let content: unknown
  try {
    content = parseStrictJson(payload, { maxBytes: RECEIPT_MAX_BYTES, maxDepth: 4 })
  } catch (thrown) {
    throw forged('payload', (thrown as PlasmError).message, thrown)
  }
  const result = v.safeParse(receiptSchema, content)
  if (result.success) return result.output
  const issue = result.issues[0]
  throw forged(v.getDotPath(issue) ?? 'payload', issue.message)
}

function forged(field: string, problem: string, cause?: unknown): PlasmError {
  return new PlasmError('lineage-forged', `boot receipt: ${field} ${problem}`, { facts: { field }, cause })
}
