import { base58Decode, base58Encode } from './base58.ts'
import { isStrictPoint } from './ed25519.ts'

/**
 * What stands before the 32 bytes of an Ed25519 key in a libp2p peer id: an identity multihash (0x00) of 36 bytes (0x24),
 * which are libp2p's PublicKey in protobuf: Type = Ed25519 (0x08 0x01), Data of 32 bytes (0x12 0x20). libp2p specs, peer-ids.
 */
const HEAD = Buffer.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20])
const KEY_BYTES = 32
/** Every peer id of an Ed25519 key has so many characters, and begins with `12D3KooW`. */
const PEER_ID = /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/

/** The libp2p peer id of a node whose Ed25519 public key has these 32 raw bytes. */
export function peerIdOf(publicKey: Uint8Array): string {
  return base58Encode(Buffer.concat([HEAD, publicKey]))
}

/** The 32 raw bytes of the key that a peer id holds; undefined for what is not the peer id of a usable Ed25519 key. */
export function publicKeyOf(peerId: string): Buffer | undefined {
  const bytes = PEER_ID.test(peerId) ? base58Decode(peerId) : undefined
  if (bytes?.length !== HEAD.length + KEY_BYTES || !bytes.subarray(0, HEAD.length).equals(HEAD)) return undefined
  const key = bytes.subarray(HEAD.length)
  return isStrictPoint(key) ? key : undefined
}

export const isPeerId = (text: string): boolean => publicKeyOf(text) !== undefined
