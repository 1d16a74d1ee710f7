import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { base58Decode, base58Encode } from '../../../service/base58.ts'
import { makeNodeKey } from '../../../service/node-key.ts'
import { isPeerId, peerIdOf, publicKeyOf } from '../../../service/peer-id.ts'

test('a node key has the peer id that libp2p gives it', async () => {
  for (let round = 0; round < 8; round += 1) {
    const { seed, peerId } = makeNodeKey()
    assert.equal(peerId, peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString())
  }
})

test('a peer id gives back the key that libp2p finds in it', () => {
  const { peerId } = makeNodeKey()
  const theirs = peerIdFromString(peerId)
  assert.ok(theirs.type === 'Ed25519')
  assert.deepEqual(publicKeyOf(peerId), Buffer.from(theirs.publicKey.raw))
  assert.equal(peerIdOf(publicKeyOf(peerId)!), peerId)
})

test('what is no peer id of an Ed25519 key gives none', () => {
  const { peerId } = makeNodeKey()
  const others = [
    '',
    '12D3KooW',
    peerId.slice(0, -1),
    `${peerId}1`,
    peerId.replace(/.$/, '0'),
    // RSA and secp256k1 peer ids are hashes or longer keys.
    'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
    '16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY',
    // The neutral element, which verifies what nobody signed.
    peerIdOf(Buffer.from('01'.padEnd(64, '0'), 'hex')),
  ]
  for (const text of others) assert.equal(isPeerId(text), false, text)
})

test('base58 keeps leading zeros and refuses other letters', () => {
  for (const length of [0, 1, 5, 38]) {
    const bytes = Buffer.concat([Buffer.alloc(length % 3), randomBytes(length)])
    assert.deepEqual(base58Decode(base58Encode(bytes)), bytes)
  }
  assert.equal(base58Encode(Buffer.from('Hello World!')), '2NEpo7TZRRrLZSi2U')
  assert.equal(base58Decode('0'), undefined)
})
