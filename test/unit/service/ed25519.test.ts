import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { isStrictPoint, keyIdOf, publicKeyObject, rawPublicKey, verifyStrict } from '../../../service/ed25519.ts'
import { sha256Of } from '../../../service/manifest.ts'
import { ED25519_VECTORS } from '../../vectors/ed25519.ts'

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const hex = (text: string) => Buffer.from(text, 'hex')

for (const { id, key, message, signature, valid } of ED25519_VECTORS) {
  test(`Wycheproof ${id} is ${valid ? 'accepted' : 'refused'}`, () => {
    assert.equal(verifyStrict(hex(key), hex(message), hex(signature)), valid)
  })
}

const { key, message, signature } = ED25519_VECTORS[2]!

test('any one bit of a signature changed is refused', () => {
  for (let bit = 0; bit < 512; bit += 1) {
    const changed = hex(signature)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(verifyStrict(hex(key), hex(message), changed), false, `bit ${bit}`)
  }
})

test('a signature of another length is refused', () => {
  const whole = hex(signature)
  for (const other of [whole.subarray(1), whole.subarray(0, 63), whole.subarray(0, 32), Buffer.alloc(0)]) {
    assert.equal(verifyStrict(hex(key), hex(message), other), false)
  }
  assert.equal(verifyStrict(hex(key), hex(message), Buffer.concat([whole, Buffer.alloc(1)])), false)
})

/** The points of small order, from the curve itself: y of the four of order 1, 2 and 4, and the root for order 8. */
function smallOrderKeys(): readonly Buffer[] {
  const d = mod(-121665n * power(121666n, P - 2n))
  // A point of order 8 doubles to one of order 4, which has y = 0: 2 x y = 1 + d x² y² with x² = -y² there gives d y⁴ + 2 y² - 1 = 0.
  const root = squareRoot(mod(1n + d))!
  const squares = [mod((root - 1n) * power(d, P - 2n)), mod((-root - 1n) * power(d, P - 2n))]
  const eights = squares.flatMap((square) => {
    const y = squareRoot(square)
    return y === undefined ? [] : [y, P - y]
  })
  assert.equal(eights.length, 2)
  return [0n, 1n, P - 1n, ...eights].flatMap((y) => [bytesOf(y), bytesOf(y | (1n << 255n))])
}

test('keys of small order are refused, also where node:crypto takes them for points', () => {
  for (const small of smallOrderKeys()) {
    assert.equal(isStrictPoint(small), false)
    assert.equal(verifyStrict(small, Buffer.from('x'), Buffer.concat([small, Buffer.alloc(32)])), false)
  }
})

test('an R of small order is refused, though the equation holds; one of large order made the same way is not', () => {
  const pair = generateKeyPairSync('ed25519')
  const raw = rawPublicKey(pair.publicKey)!
  const sha512 = (...parts: Uint8Array[]) => createHash('sha512').update(Buffer.concat(parts)).digest()
  const scalar = sha512(Buffer.from(pair.privateKey.export({ format: 'jwk' }).d!, 'base64url')).subarray(0, 32)
  // RFC 8032, 5.1.5.
  scalar[0]! &= 248
  scalar[31]! = (scalar[31]! & 127) | 64
  const words = Buffer.from('anything')
  const made = (point: Buffer, nonce: bigint) => {
    const s = (nonce + littleEndian(sha512(point, raw, words)) * littleEndian(scalar)) % L
    return Buffer.concat([point, bytesOf(s)])
  }
  // The base point has y = 4/5 (RFC 8032, 5.1), the identity y = 1.
  const basePoint = bytesOf(mod(4n * power(5n, P - 2n)))
  assert.equal(verifyStrict(raw, words, made(basePoint, 1n)), true)
  assert.equal(verifyStrict(raw, words, made(bytesOf(1n), 0n)), false)
})

test('a y that is not below the prime is no canonical point', () => {
  for (let above = 0n; above < 19n; above += 1n) assert.equal(isStrictPoint(bytesOf(P + above)), false)
  assert.equal(isStrictPoint(bytesOf(3n)), true)
})

test('a y without a point of the curve verifies nothing', () => {
  assert.equal(verifyStrict(bytesOf(2n), Buffer.from('x'), hex(signature)), false)
})

test('raw keys go to key objects and back, and their id is the digest of the raw bytes', () => {
  const pair = generateKeyPairSync('ed25519')
  const raw = rawPublicKey(pair.publicKey)!
  assert.equal(raw.length, 32)
  assert.deepEqual(rawPublicKey(pair.privateKey), raw)
  assert.deepEqual(rawPublicKey(publicKeyObject(raw)), raw)
  assert.equal(keyIdOf(raw), sha256Of(raw))
  assert.equal(verifyStrict(raw, Buffer.from('m'), sign(null, Buffer.from('m'), pair.privateKey)), true)
  assert.equal(rawPublicKey(generateKeyPairSync('x25519').publicKey), undefined)
})

function mod(value: bigint): bigint {
  const rest = value % P
  return rest < 0n ? rest + P : rest
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = mod(base), left = exponent; left > 0n; left >>= 1n, square = mod(square * square)) {
    if (left & 1n) result = mod(result * square)
  }
  return result
}

/** RFC 8032, 5.1.3: p is 5 mod 8. */
function squareRoot(value: bigint): bigint | undefined {
  const guess = power(value, (P + 3n) / 8n)
  for (const root of [guess, mod(guess * power(2n, (P - 1n) / 4n))]) {
    if (mod(root * root) === mod(value)) return root
  }
  return undefined
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function bytesOf(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
}
