import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410, 4): always these 12 bytes. */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const POINT_BYTES = 32
const SIGNATURE_BYTES = 64

/** The field's prime, and the order of the group that the base point makes (RFC 8032, 5.1). */
const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n

/** y coordinates of the eight points of small order; either sign of x. A key among them verifies what nobody signed. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
])

/** `sha256:<hex>` of the 32 raw bytes of a public key: its name in policies and envelopes. */
export function keyIdOf(publicKey: Uint8Array): string {
  return `sha256:${createHash('sha256').update(publicKey).digest('hex')}`
}

/** Whether 32 bytes are a point as RFC 8032, 5.1.2 writes it (y below the prime) and of large order. */
export function isStrictPoint(point: Uint8Array): boolean {
  if (point.length !== POINT_BYTES) return false
  const y = littleEndian(point) & (2n ** 255n - 1n)
  return y < P && !SMALL_ORDER_Y.has(y)
}

/**
 * Ed25519 (RFC 8032, 5.1.7) where two verifiers never disagree: also refuses public keys and R that are of small order or not
 * canonical, and S that is not below the group's order, which libraries have differed in.
 * @param publicKey 32 raw bytes
 * @param signature 64 bytes, R and S
 */
export function verifyStrict(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || !isStrictPoint(publicKey)) return false
  if (!isStrictPoint(signature.subarray(0, POINT_BYTES))) return false
  if (littleEndian(signature.subarray(POINT_BYTES)) >= L) return false
  try {
    return verify(null, message, publicKeyObject(publicKey), signature)
  } catch {
    // No point of the curve has this y.
    return false
  }
}

export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' })
}

/** The 32 raw bytes of a public key, or of the public half of a private one; undefined where it is not Ed25519. */
export function rawPublicKey(key: KeyObject): Buffer | undefined {
  if (key.asymmetricKeyType !== 'ed25519') return undefined
  const half = key.type === 'private' ? createPublicKey(key) : key
  return half.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length)
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}
