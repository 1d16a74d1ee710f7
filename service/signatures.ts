import { type Envelope, type EnvelopeSignature, pae } from './dsse.ts'
import { verifyStrict } from './ed25519.ts'
import type { TrustedKey } from './trusted-keys.ts'

/** What became of one signature of an envelope. */
export interface SignatureVerdict {
  /** The key that the envelope says made it; a hint that decides nothing. */
  readonly keyid: string | null
  /** The trusted key that did make it. */
  readonly key: string | null
  readonly counts: boolean
  /** In words. */
  readonly why: string
}

/** Tries every signature against every trusted key. One key counts once, however often and under whatever name it signed. */
export function judgeSignatures(envelope: Envelope, keys: readonly TrustedKey[]): readonly SignatureVerdict[] {
  const message = pae(envelope.payloadType, envelope.payload)
  const counted = new Set<string>()
  return envelope.signatures.map((signature) => {
    const { keyid } = signature
    const key = hintedFirst(keys, keyid).find(({ publicKey }) => verifyStrict(publicKey, message, signature.sig))
    if (!key) return { keyid, key: null, counts: false, why: whyNot(signature, keys) }
    if (counted.has(key.id)) return { keyid, key: key.id, counts: false, why: `${key.name} has signed it already` }
    counted.add(key.id)
    return { keyid, key: key.id, counts: true, why: `signed by ${key.name}` }
  })
}

/** One line for a person. */
export function verdictLine({ keyid, key, counts, why }: SignatureVerdict): string {
  return `${key ?? keyid ?? 'unnamed key'}: ${counts ? 'counts' : 'does not count'}, ${why}`
}

function hintedFirst(keys: readonly TrustedKey[], keyid: string | null): readonly TrustedKey[] {
  return [...keys].sort((a, b) => Number(b.id === keyid) - Number(a.id === keyid))
}

function whyNot({ keyid }: EnvelopeSignature, keys: readonly TrustedKey[]): string {
  const named = keys.find(({ id }) => id === keyid)
  return named ? `${named.name} is trusted, and did not make this signature` : 'no trusted key made it'
}
