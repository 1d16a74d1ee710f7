import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { asPlasmError, PlasmError } from '../service/errors.ts'
import { artifactsOf, type ManifestArtifact, sha256Of } from '../service/manifest.ts'
import { type StreamAnswer, streamHttp } from './http-stream.ts'
import type { StoredSet } from './publish.ts'

/** A foreign plasmd may hash a file before its first answer about it. */
const PATIENCE = { connectMs: 10_000, headersMs: 60_000, stallMs: 60_000 }
const READ_BYTES = 1024 * 1024

/** Whoever asks for a whole file makes plasmd hash it first, for X-Artifact-Hash; a range is answered at once. */
const FROM_THE_START = { range: 'bytes=0-' }

const UNREADABLE = 'unreadable: '

type Artifact = ManifestArtifact & { readonly role: string }

/** What was found to be served right: for which set, and which file each artifact was then, so that none is hashed twice. */
export interface Proof {
  readonly digest: string
  readonly identities: ReadonlyMap<string, string>
}

/**
 * Proves that what plasmd serves over HTTP is the set: the manifest's bytes, each artifact's size and digest (DESIGN
 * decision 9: this is also the verification of what was adopted). One artifact after the other, so memory stays flat.
 * @param before an earlier proof: artifacts whose file is still the same are asked for by HEAD only
 * @throws PlasmError `self-check-mismatch` (facts: `artifact`, `expected`, `found`, `where`: `disk` when the stored file
 * itself is wrong, else `server`) | `self-check-unreachable` (facts: `url`)
 */
export async function selfCheck(base: string, set: StoredSet, before?: Proof): Promise<Proof> {
  const { manifest, digest, bytes, file } = set.verified
  const place = `${base}/${manifest.channel}/${manifest.arch}`
  await checkManifest(`${place}/${file}`, bytes)
  const identities = new Map<string, string>()
  for (const artifact of artifactsOf(manifest)) {
    const path = join(set.dir, artifact.filename)
    const identity = await identityOf(path)
    const known =
      before?.digest === digest && identity !== undefined && before.identities.get(artifact.role) === identity
    await checkArtifact(`${place}/${artifact.filename}`, path, artifact, known ? 'HEAD' : 'GET')
    if (identity !== undefined) identities.set(artifact.role, identity)
  }
  return { digest, identities }
}

/**
 * {@link selfCheck} that remembers what it has proven, so that looking again costs little.
 * @param rereadEvery ms after which everything is read again: bytes that rot on a disk leave the file's times as they were
 */
export function createSelfCheck(base: string, rereadEvery: number): (set: StoredSet) => Promise<void> {
  let proof: Proof | undefined
  let readAt = 0
  return async (set) => {
    const isDue = performance.now() - readAt >= rereadEvery
    const before = isDue || proof?.digest !== set.verified.digest ? undefined : proof
    proof = await selfCheck(base, set, before)
    if (!before) readAt = performance.now()
  }
}

async function checkManifest(url: string, expected: Uint8Array): Promise<void> {
  const hash = createHash('sha256')
  const answer = await ask(url, 'GET', (data) => hash.update(data))
  const found = answer.status === 200 ? `sha256:${hash.digest('hex')}` : `HTTP ${answer.status}`
  const digest = sha256Of(expected)
  if (found !== digest) throw mismatch('manifest', { expected: digest, found, where: 'server' })
}

async function checkArtifact(url: string, path: string, artifact: Artifact, method: 'GET' | 'HEAD'): Promise<void> {
  const { role, hash, size_bytes } = artifact
  const digest = createHash('sha256')
  const answer = await ask(url, method, (data) => digest.update(data), FROM_THE_START)
    .then((given) => {
      if (given.status >= 500) throw unreachable(url, `it answers ${given.status}`)
      return given
    })
    .catch(async (thrown) => {
      // A disk that gives a file back no more makes plasmd fail on the way.
      const failed = await readFailure(path)
      throw failed === undefined ? thrown : mismatch(role, { expected: hash, found: failed, where: 'disk' })
    })
  const found =
    answer.status !== 200 && answer.status !== 206
      ? `HTTP ${answer.status}`
      : answer.length !== size_bytes
        ? `${answer.length} bytes`
        : method === 'HEAD'
          ? hash
          : `sha256:${digest.digest('hex')}`
  if (found === hash) return
  const stored = await digestOfFile(path)
  if (stored === hash) throw mismatch(role, { expected: hash, found, where: 'server' })
  throw mismatch(role, { expected: hash, found: stored, where: 'disk' })
}

async function ask(
  url: string,
  method: 'GET' | 'HEAD',
  onBody: (data: Buffer) => void,
  headers: Readonly<Record<string, string>> = {},
): Promise<StreamAnswer> {
  try {
    return await streamHttp({ url, method, headers, onBody, patience: PATIENCE })
  } catch (thrown) {
    throw unreachable(url, (thrown as Error).message, thrown)
  }
}

/** Which file this is: it changes when the file is replaced or written to. */
async function identityOf(path: string): Promise<string | undefined> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined)
  return found && [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':')
}

async function digestOfFile(path: string): Promise<string> {
  const digest = createHash('sha256')
  try {
    // A link is not the file that was stored, whatever it leads to.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stream = file.createReadStream({ highWaterMark: READ_BYTES })
    for await (const data of stream) digest.update(data as Buffer)
    return `sha256:${digest.digest('hex')}`
  } catch (thrown) {
    return `${UNREADABLE}${asPlasmError(thrown).message}`
  }
}

/** What the disk says to whoever reads all of a file; undefined when it gives it. A file that is not there is no failing disk. */
async function readFailure(path: string): Promise<string | undefined> {
  const stored = await digestOfFile(path)
  return stored.startsWith(UNREADABLE) && stored.includes('EIO') ? stored : undefined
}

function mismatch(artifact: string, facts: { expected: string; found: string; where: 'disk' | 'server' }): PlasmError {
  const blame = facts.where === 'disk' ? 'the stored file is wrong' : 'plasmd serves something else than is stored'
  return new PlasmError('self-check-mismatch', `${artifact} is not what the manifest says: ${blame}`, {
    facts: { artifact, ...facts },
    hint:
      facts.where === 'disk'
        ? 'the set is taken out of service and fetched again from other providers, or taken from an inbox'
        : 'look whether another program answers on the port of plasmd',
  })
}

function unreachable(url: string, problem: string, cause?: unknown): PlasmError {
  return new PlasmError('self-check-unreachable', `${url} cannot be read back: ${problem}`, { facts: { url }, cause })
}
