import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { asPlasmError, PlasmError } from '../service/errors.ts'
import type { SeenReleases } from '../service/freshness.ts'
import { artifactsOf } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { AgentConfig } from './config.ts'
import { ifThere } from './if-there.ts'
import { readManifestIn } from './manifest-file.ts'
import type { StoredSet } from './publish.ts'
import { checkSet } from './store-safety.ts'
import { verify } from './verify.ts'
import { findingsIn } from './verify-set.ts'

export interface CacheSearch {
  readonly root: string
  readonly policy: TrustPolicy
  readonly config: Pick<AgentConfig, 'channel' | 'arch'>
  readonly seen: SeenReleases
  /** This one or none, by its manifest digest. */
  readonly only?: string
  /** Told of each set that is passed over. */
  onRejected(dir: string, reason: string): void
}

/**
 * The newest set of the store that this image accepts and that is whole: signed ones first, then by sequence. Every byte of it has
 * been read and compared with the manifest.
 * @returns undefined where there is none
 */
export async function newestCachedSet(search: CacheSearch): Promise<StoredSet | undefined> {
  const { sets, set: homeOf } = storePaths(search.root)
  const wanted = search.only === undefined ? undefined : basename(homeOf(search.only))
  const isWanted = (name: string) => (wanted === undefined ? !name.startsWith('.') : name === wanted)
  const names = ((await ifThere(readdir(sets))) ?? []).filter(isWanted)
  const accepted: StoredSet[] = []
  for (const name of names) {
    const dir = join(sets, name)
    await orReject(search, dir, async () => {
      const set = await acceptedSet(search, dir)
      if (set) accepted.push(set)
    })
  }
  for (const set of accepted.sort(newestFirst)) {
    const whole = await orReject(search, set.dir, async () => {
      await checkWhole(set)
      return set
    })
    if (whole) return whole
  }
  return undefined
}

async function acceptedSet({ policy, config, seen }: CacheSearch, dir: string): Promise<StoredSet | undefined> {
  await checkSet(dir, [])
  const raw = await readManifestIn(dir)
  if (!raw) return undefined
  const verified = verify(raw, policy, config, { seen })
  if (basename(storePaths('').set(verified.digest)) !== basename(dir)) {
    throw new PlasmError('artifact-digest-mismatch', `its manifest is ${verified.digest}`, {
      facts: { artifact: 'manifest', expected: basename(dir), found: verified.digest },
    })
  }
  return { verified, dir }
}

async function checkWhole({ dir, verified: { manifest } }: StoredSet): Promise<void> {
  await checkSet(
    dir,
    artifactsOf(manifest).map(({ filename }) => filename),
  )
  const wrong = (await findingsIn(dir, manifest)).find(({ problem }) => problem !== null)
  if (!wrong) return
  throw new PlasmError('artifact-digest-mismatch', `${wrong.artifact} in ${dir} is not what the manifest says`, {
    facts: { artifact: wrong.artifact, problem: wrong.problem },
    hint: 'it is fetched again from the next provider',
  })
}

function newestFirst(a: StoredSet, b: StoredSet): number {
  const signed = ({ verified }: StoredSet) => Number(verified.signedBy.length > 0)
  return signed(b) - signed(a) || b.verified.manifest.sequence - a.verified.manifest.sequence
}

async function orReject<T>(search: CacheSearch, dir: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (thrown) {
    const { code, message } = asPlasmError(thrown)
    search.onRejected(dir, `${message} [${code}]`)
    return undefined
  }
}
