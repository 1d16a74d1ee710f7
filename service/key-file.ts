import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { keyIdOf, rawPublicKey } from './ed25519.ts'
import { PlasmError } from './errors.ts'

const PRIVATE_FILE = 0o600
const PUBLIC_FILE = 0o644

export interface KeyFiles {
  readonly id: string
  readonly privateFile: string
  readonly publicFile: string
}

/**
 * Makes a publisher's key: NAME.key (PKCS#8 PEM, its owner's alone) and NAME.pub (SPKI PEM). Overwrites nothing.
 * @throws PlasmError `key-exists` (facts: `file`) | `key-not-written`
 */
export async function makeKeyFiles(directory: string, name: string): Promise<KeyFiles> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  // Where this fails, the first file says why.
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => {})
  const privateFile = join(directory, `${name}.key`)
  const publicFile = join(directory, `${name}.pub`)
  await create(privateFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), PRIVATE_FILE)
  try {
    await create(publicFile, publicKey.export({ type: 'spki', format: 'pem' }), PUBLIC_FILE)
  } catch (thrown) {
    await rm(privateFile)
    throw thrown
  }
  return { id: keyIdOf(rawPublicKey(publicKey)!), privateFile, publicFile }
}

/** @throws PlasmError `key-invalid` (facts: `file`) */
export async function readPrivateKey(file: string): Promise<KeyObject> {
  const invalid = (problem: string, cause?: unknown) =>
    new PlasmError('key-invalid', `${file} ${problem}`, {
      facts: { file },
      hint: 'name a .key file that `plasmd keygen` wrote',
      cause,
    })
  const pem = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw invalid(cause.code === 'ENOENT' ? 'is not there' : `cannot be read: ${cause.message}`, cause)
  })
  if (pem.includes('-----BEGIN PUBLIC KEY-----')) throw invalid('is a public key, and the private one signs')
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'ed25519') return key
    throw new Error(`is a key of type ${key.asymmetricKeyType}`)
  } catch (cause) {
    throw invalid(`is no Ed25519 private key that can be read: ${(cause as Error).message}`, cause)
  }
}

/** Exclusively: no key is overwritten, and no link is followed (open(2), O_EXCL). */
async function create(file: string, text: string | Buffer, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') {
      throw new PlasmError('key-exists', `${file} is there already, and keys are not overwritten`, {
        facts: { file },
        hint: 'take another name',
        cause,
      })
    }
    throw new PlasmError('key-not-written', `${file} cannot be written: ${cause.message}`, { facts: { file }, cause })
  })
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
