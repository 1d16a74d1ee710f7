import * as v from 'valibot'
import { type Arch, canonicalArch } from './arch.ts'
import { verifyStrict } from './ed25519.ts'
import { PlasmError } from './errors.ts'
import { CHANNEL } from './manifest.ts'
import type { NodeKey } from './node-key.ts'
import { isPeerId, publicKeyOf } from './peer-id.ts'
import { NONCE } from './receipt.ts'
import { parseStrictJson } from './strict-json.ts'

/** Longest body of `POST /receipts` that is read, bytes. */
export const RECEIPT_REQUEST_MAX_BYTES = 4096
const PURPOSE = 'plasm-receipt-request-v1'

/** The boot that a client wants a receipt for. */
export interface ReceiptRequest {
  /** The client's peer id. */
  readonly client: string
  readonly nonce: string
  readonly manifestDigest: string
  readonly channel: string
  readonly arch: Arch
}

const requestSchema = v.strictObject({
  version: v.literal(1),
  client: v.pipe(v.string(), v.check(isPeerId, 'is not the peer id of an Ed25519 key')),
  nonce: v.pipe(v.string(), v.regex(NONCE, 'is not 32 hex digits')),
  manifest_digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'is not sha256:<64 hex digits>')),
  channel: v.pipe(v.string(), v.regex(CHANNEL, 'is not a channel name')),
  arch: v.string(),
  signature: v.pipe(v.string(), v.regex(/^[0-9a-f]{128}$/, 'is not 128 hex digits')),
})

/** The body of `POST /receipts`, signed: so that nobody gets a receipt in another's name. */
export function writeReceiptRequest(key: NodeKey, wanted: Omit<ReceiptRequest, 'client'>): Buffer {
  const request = { ...wanted, client: key.peerId }
  const { client, nonce, manifestDigest, channel, arch } = request
  const signature = key.sign(signedPart(request)).toString('hex')
  return Buffer.from(
    JSON.stringify({ version: 1, client, nonce, manifest_digest: manifestDigest, channel, arch, signature }),
  )
}

/**
 * Parses the body of `POST /receipts`.
 * @throws PlasmError `bad-request` (facts: `field`) | `request-forged` where the client's key did not sign it
 */
export function readReceiptRequest(body: Uint8Array): ReceiptRequest {
  const parsed = v.safeParse(requestSchema, json(body))
  if (!parsed.success) {
    const issue = parsed.issues[0]
    throw bad(v.getDotPath(issue) ?? '(document)', issue.message)
  }
  const { client, nonce, manifest_digest: manifestDigest, channel, signature } = parsed.output
  const arch = canonicalArch(parsed.output.arch)
  if (!arch || arch !== parsed.output.arch) throw bad('arch', 'is not an architecture known here')
  const request = { client, nonce, manifestDigest, channel, arch }
  if (verifyStrict(publicKeyOf(client)!, signedPart(request), Buffer.from(signature, 'hex'))) return request
  throw new PlasmError('request-forged', 'the request is not signed by the key in its client id', { facts: { client } })
}

/** What is signed: the purpose, so that no signature made for something else fits, and each field on a line of its own. */
function signedPart({ client, nonce, manifestDigest, channel, arch }: ReceiptRequest): Buffer {
  return Buffer.from([PURPOSE, client, nonce, manifestDigest, channel, arch, ''].join('\n'))
}

function json(body: Uint8Array): unknown {
  try {
    return parseStrictJson(body, { maxBytes: RECEIPT_REQUEST_MAX_BYTES, maxDepth: 2 })
  } catch (thrown) {
    throw bad('(document)', (thrown as PlasmError).message)
  }
}

function bad(field: string, problem: string): PlasmError {
  return new PlasmError('bad-request', `receipt request: ${field} ${problem}`, { facts: { field } })
}
