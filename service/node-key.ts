import { createPrivateKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { rawPublicKey } from './ed25519.ts'
import { PlasmError } from './errors.ts'
import { peerIdOf } from './peer-id.ts'

/** A key file holds an Ed25519 seed (RFC 8032, 5.1.5) and nothing else (INTEROP: node identity). */
const SEED_BYTES = 32
/** PKCS #8 of an Ed25519 key up to its seed (RFC 8410, 7): always these 16 bytes. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const PRIVATE_FILE = 0o600

/** Who a node is: whoever holds the seed can sign as this peer. */
export interface NodeKey {
  /** 32 bytes; what a key file holds. */
  readonly seed: Buffer
  readonly privateKey: KeyObject
  readonly peerId: string
  /** Ed25519, 64 bytes. */
  sign(message: Uint8Array): Buffer
}

/** A new key, or that of a seed. */
export function makeNodeKey(seed: Buffer = randomBytes(SEED_BYTES)): NodeKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
  const peerId = peerIdOf(rawPublicKey(privateKey)!)
  return { seed, privateKey, peerId, sign: (message) => sign(null, message, privateKey) }
}

/**
 * Reads a key file.
 * @returns undefined when there is none
 * @throws PlasmError `node-key-exposed` where others can read it | `node-key-invalid` (facts: `file`)
 */
export async function readNodeKey(file: string): Promise<NodeKey | undefined> {
  let handle: FileHandle
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP') throw invalid(file, 'is a link', NO_FILE)
    throw thrown
  }
  try {
    const stat = await handle.stat()
    const { uid, mode, size } = stat
    if (!stat.isFile()) throw invalid(file, 'is not a regular file', NO_FILE)
    if (!isCredential(file) && ((mode & 0o077) !== 0 || uid !== process.geteuid?.())) throw exposed(file, mode)
    if (size !== SEED_BYTES) throw invalid(file, `is ${size} bytes long, not ${SEED_BYTES}`)
    return makeNodeKey(await handle.readFile())
  } finally {
    await handle.close()
  }
}

/** systemd shows its copy to this service alone (systemd.exec(5), LoadCredential=), by an access list that the mode cannot say. */
function isCredential(file: string): boolean {
  const directory = process.env.CREDENTIALS_DIRECTORY
  return directory !== undefined && dirname(file) === directory
}

/**
 * The key in a file, made there when there is none: written beside it and linked to its name, so that two that start at
 * once agree on one key, and a crash leaves a whole file or none.
 * @throws PlasmError of {@link readNodeKey}; the system's error where the file cannot be made
 */
export async function openNodeKey(file: string): Promise<NodeKey> {
  const found = await readNodeKey(file)
  if (found) return found
  const made = makeNodeKey()
  await writeNodeKey(file, made)
  return (await readNodeKey(file)) ?? made
}

/** Puts a key into a file of mode 0600; one that is there already stays. */
export async function writeNodeKey(file: string, { seed }: NodeKey): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}`
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_FILE)
  try {
    try {
      await handle.writeFile(seed)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(temporary, file)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
  } finally {
    await rm(temporary, { force: true })
  }
}

function exposed(file: string, mode: number): PlasmError {
  return new PlasmError('node-key-exposed', `${file} can be read by others, who could sign as this machine`, {
    facts: { file, mode: (mode & 0o7777).toString(8) },
    hint: `delete ${file}: a new key is made; or, when nobody has read it, chmod 0600 it and make it yours`,
  })
}

/** It may be a directory that somebody named in place of a file: nobody is told to delete that. */
const NO_FILE = 'look what lies there; move it away or name another file, and a new key is made'

function invalid(
  file: string,
  problem: string,
  hint = `delete ${file}: a new key is made, and with it a new peer id`,
): PlasmError {
  return new PlasmError('node-key-invalid', `${file} ${problem}; a node key is a file of ${SEED_BYTES} bytes`, {
    facts: { file },
    hint,
  })
}
