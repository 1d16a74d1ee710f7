import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { asPlasmError } from '../service/errors.ts'
import { artifactsOf, MANIFEST_FILE, type ManifestArtifact, sha256Of } from '../service/manifest.ts'
import { checkForeignManifest } from './foreign-manifest.ts'
import type { StoredSet } from './publish.ts'
import { mismatch, readBack, unreachable } from './read-back.ts'

const READ_BYTES = 1024 * 1024

/**
 * Whoever asks for a whole file makes our plasmd hash it first, for X-Artifact-Hash; a range is answered at once. A foreign one
 * is asked for the whole file, as its clients ask.
 */
const FROM_THE_START = { range: 'bytes=0-' }

const UNREADABLE = 'unreadable: '

/** A 200 to a range means: here is the whole (RFC 9110, 14.2). */
const SUCCESS = [200, 206]

type Headers = Readonly<Record<string, string>>
type Artifact = ManifestArtifact & { readonly role: string }

/** What was found to be served right: for which set, and which file each artifact was then, so that none is hashed twice. */
export interface Proof {
  readonly digest: string
  readonly identities: ReadonlyMap<string, string>
}

/**
 * Proves that what plasmd serves over HTTP is the set: the manifest's bytes, each artifact's size and digest (DESIGN
 * decision 9: this is also the verification of what was adopted). One artifact after the other, so memory stays flat.
 * A foreign plasmd writes a manifest.json of its own at each request: of an unsigned set, what that one says of the artifacts is
 * compared instead of its bytes. An envelope is a file like any other to it.
 * @param before an earlier proof: artifacts whose file is still the same are asked for by HEAD only
 * @throws PlasmError `self-check-mismatch` (facts: `artifact`, `expected`, `found`, `where`: `disk` when the stored file
 * itself is wrong, else `server`) | `self-check-unreachable` (facts: `url`)
 */
export async function selfCheck(
  base: string,
  set: StoredSet,
  { foreign = false, before }: { readonly foreign?: boolean; readonly before?: Proof | undefined } = {},
): Promise<Proof> {
  const { manifest, digest, bytes, file } = set.verified
  const place = `${base}/${manifest.channel}/${manifest.arch}`
  if (foreign && file === MANIFEST_FILE) await checkForeignManifest(`${place}/${file}`, manifest)
  else await checkManifest(`${place}/${file}`, bytes)
  const identities = new Map<string, string>()
  const headers = foreign ? {} : FROM_THE_START
  for (const artifact of artifactsOf(manifest)) {
    const path = join(set.dir, artifact.filename)
    const identity = await identityOf(path)
    const known =
      before?.digest === digest && identity !== undefined && before.identities.get(artifact.role) === identity
    const url = `${place}/${artifact.filename}`
    if (!known || !(await saysTheSame(url, artifact, headers))) await checkArtifact(url, path, artifact, headers)
    if (identity !== undefined) identities.set(artifact.role, identity)
  }
  return { digest, identities }
}

/**
 * {@link selfCheck} that remembers what it has proven, so that looking again costs little.
 * @param rereadEvery ms after which everything is read again: bytes that rot on a disk leave the file's times as they were
 */
export function createSelfCheck(
  base: string,
  { foreign, rereadEvery }: { readonly foreign: boolean; readonly rereadEvery: number },
): (set: StoredSet) => Promise<void> {
  let proof: Proof | undefined
  let readAt = 0
  return async (set) => {
    const isDue = performance.now() - readAt >= rereadEvery
    const before = isDue || proof?.digest !== set.verified.digest ? undefined : proof
    proof = await selfCheck(base, set, { foreign, before })
    if (!before) readAt = performance.now()
  }
}

async function checkManifest(url: string, expected: Uint8Array): Promise<void> {
  const hash = createHash('sha256')
  const answer = await readBack(url, 'GET', (data) => hash.update(data))
  const found = answer.status === 200 ? `sha256:${hash.digest('hex')}` : `HTTP ${answer.status}`
  const digest = sha256Of(expected)
  if (found !== digest) throw mismatch('manifest', { expected: digest, found, where: 'server' })
}

/** Whether the head of an answer is that of the artifact. Not every server knows HEAD: then all of it is to be read. */
async function saysTheSame(url: string, { size_bytes }: Artifact, headers: Headers): Promise<boolean> {
  const answer = await readBack(url, 'HEAD', () => {}, headers).catch(() => undefined)
  return answer !== undefined && SUCCESS.includes(answer.status) && answer.length === size_bytes
}

async function checkArtifact(url: string, path: string, artifact: Artifact, headers: Headers): Promise<void> {
  const { role, hash, size_bytes } = artifact
  const digest = createHash('sha256')
  let bytes = 0
  const take = (data: Buffer) => {
    digest.update(data)
    bytes += data.length
  }
  const answer = await readBack(url, 'GET', take, headers)
    .then((given) => {
      if (given.status >= 500) throw unreachable(url, `it answers ${given.status}`)
      return given
    })
    .catch(async (thrown) => {
      // A disk that gives a file back no more makes plasmd fail on the way.
      const failed = await readFailure(path)
      throw failed === undefined ? thrown : mismatch(role, { expected: hash, found: failed, where: 'disk' })
    })
  const found = !SUCCESS.includes(answer.status)
    ? `HTTP ${answer.status}`
    : bytes !== size_bytes
      ? `${bytes} bytes`
      : `sha256:${digest.digest('hex')}`
  if (found === hash) return
  const stored = await digestOfFile(path)
  if (stored === hash) throw mismatch(role, { expected: hash, found, where: 'server' })
  throw mismatch(role, { expected: hash, found: stored, where: 'disk' })
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
