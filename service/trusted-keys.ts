import { createPublicKey } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isStrictPoint, keyIdOf, rawPublicKey } from './ed25519.ts'
import { PlasmError } from './errors.ts'

export interface TrustedKey {
  /** `sha256:<hex>` of the raw key. */
  readonly id: string
  /** 32 raw bytes. */
  readonly publicKey: Buffer
  /** File name, for people. */
  readonly name: string
}

/**
 * The keys in a directory: every `*.pub`, Ed25519 in PEM, by file name.
 * @returns none where there is no directory
 * @throws PlasmError `trust-policy-invalid` (facts: `file`, `field`)
 */
export async function readTrustedKeys(directory: string): Promise<readonly TrustedKey[]> {
  const names = await readdir(directory).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return []
    throw invalid(directory, thrown.message, thrown)
  })
  const keys = names.filter((name) => name.endsWith('.pub')).sort()
  return Promise.all(keys.map((name) => readTrustedKey(join(directory, name), name)))
}

async function readTrustedKey(file: string, name: string): Promise<TrustedKey> {
  const publicKey = await readFile(file).then(parsePublicKey, (cause) => {
    throw invalid(file, (cause as Error).message, cause)
  })
  if (!publicKey) throw invalid(file, 'is not an Ed25519 public key in PEM')
  if (!isStrictPoint(publicKey)) throw invalid(file, 'is a key of small order: it verifies what nobody signed')
  return { id: keyIdOf(publicKey), publicKey, name }
}

/** A private key is none, though OpenSSL would make a public one of it: nobody may bake one into an image. */
function parsePublicKey(pem: Buffer): Buffer | undefined {
  if (!pem.includes('-----BEGIN PUBLIC KEY-----') || pem.includes('PRIVATE KEY')) return undefined
  try {
    return rawPublicKey(createPublicKey(pem))
  } catch {
    return undefined
  }
}

function invalid(file: string, problem: string, cause?: unknown): PlasmError {
  return new PlasmError('trust-policy-invalid', `${file} ${problem}`, {
    facts: { file, field: 'keys' },
    hint: 'put the `.pub` files that `plasmd keygen` wrote there, and nothing else',
    cause,
  })
}
