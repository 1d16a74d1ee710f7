import { type KeyObject, sign } from 'node:crypto'
import * as v from 'valibot'
import { keyIdOf, rawPublicKey } from './ed25519.ts'
import { PlasmError } from './errors.ts'
import { MANIFEST_MAX_BYTES } from './manifest-limits.ts'
import { parseStrictJson } from './strict-json.ts'

/** The signed manifest's file name, beside the artifacts and in URLs (DESIGN decision 2). */
export const ENVELOPE_FILE = 'manifest.dsse.json'
/** Largest envelope that is read into memory, bytes: the largest manifest in base64, and room for its signatures. */
export const ENVELOPE_MAX_BYTES = Math.ceil(MANIFEST_MAX_BYTES / 3) * 4 + 64 * 1024
export const MANIFEST_PAYLOAD_TYPE = 'application/vnd.phase.boot-manifest+json'

const SIGNATURES_MAX = 16
const SIGNATURE_BYTES = 64

export interface EnvelopeSignature {
  /** A hint only: which key verifies is what counts. */
  readonly keyid: string | null
  readonly sig: Buffer
}

/** A DSSE v1 envelope that is well-formed. Says nothing about trust. */
export interface Envelope {
  readonly payloadType: string
  readonly payload: Buffer
  readonly signatures: readonly EnvelopeSignature[]
}

const envelopeSchema = v.strictObject({
  payloadType: v.string(),
  payload: v.string(),
  signatures: v.pipe(
    v.array(v.strictObject({ keyid: v.optional(v.pipe(v.string(), v.maxLength(128))), sig: v.string() })),
    v.minLength(1),
    v.maxLength(SIGNATURES_MAX),
  ),
})

/** What is signed: DSSE's pre-authentication encoding of a payload and its type (DSSE v1.0.2, protocol.md). */
export function pae(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType)
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `), payload])
}

/**
 * Parses an envelope strictly; fields that DSSE does not know, such as a key, are refused.
 * @throws PlasmError `envelope-invalid` (facts: `field`)
 */
export function parseEnvelope(bytes: Uint8Array, payloadType: string, maxBytes = ENVELOPE_MAX_BYTES): Envelope {
  const parsed = v.safeParse(envelopeSchema, parse(bytes, maxBytes))
  if (!parsed.success) {
    const issue = parsed.issues[0]
    throw invalid(v.getDotPath(issue) ?? '(document)', issue.message)
  }
  const { output } = parsed
  if (output.payloadType !== payloadType) throw invalid('payloadType', `is not ${payloadType}`)
  return {
    payloadType,
    payload: base64('payload', output.payload),
    signatures: output.signatures.map(({ keyid, sig }, index) => ({
      keyid: keyid ?? null,
      sig: signatureBytes(`signatures.${index}.sig`, sig),
    })),
  }
}

/** The envelope as compact JSON. Pure. */
export function envelopeDocument({ payloadType, payload, signatures }: Envelope): Buffer {
  const written = signatures.map(({ keyid, sig }) => ({
    ...(keyid === null ? {} : { keyid }),
    sig: sig.toString('base64'),
  }))
  return Buffer.from(JSON.stringify({ payloadType, payload: payload.toString('base64'), signatures: written }))
}

/** A signature over a payload. @param privateKey Ed25519 */
export function signPayload(payloadType: string, payload: Uint8Array, privateKey: KeyObject): EnvelopeSignature {
  const publicKey = rawPublicKey(privateKey)
  if (!publicKey) throw new Error('signing takes an Ed25519 key')
  return { keyid: keyIdOf(publicKey), sig: sign(null, pae(payloadType, payload), privateKey) }
}

function parse(bytes: Uint8Array, maxBytes: number): unknown {
  try {
    return parseStrictJson(bytes, { maxBytes, maxDepth: 4, maxString: maxBytes })
  } catch (thrown) {
    const { message, facts } = thrown as PlasmError
    throw new PlasmError('envelope-invalid', `envelope: ${message}`, { facts, cause: thrown })
  }
}

function signatureBytes(field: string, text: string): Buffer {
  const sig = base64(field, text)
  if (sig.length !== SIGNATURE_BYTES) throw invalid(field, `is ${sig.length} bytes, and an Ed25519 signature has 64`)
  return sig
}

/** RFC 4648, sections 4 and 5: DSSE takes both alphabets. Only the one text that these bytes have in its alphabet is taken. */
function base64(field: string, text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  const urlSafe = bytes.toString('base64url')
  const padded = urlSafe.padEnd(Math.ceil(urlSafe.length / 4) * 4, '=')
  if (text !== bytes.toString('base64') && text !== urlSafe && text !== padded) throw invalid(field, 'is not base64')
  return bytes
}

function invalid(field: string, problem: string): PlasmError {
  return new PlasmError('envelope-invalid', `envelope field ${field} ${problem}`, {
    facts: { field },
    hint: 'publish the envelope again: `plasmd manifest sign`',
  })
}
