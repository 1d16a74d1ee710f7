import { resolve } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { setBytes } from '../service/manifest.ts'
import { readTrustPolicy, type TrustPolicy } from '../service/trust-policy.ts'
import { currentSet } from './adopt.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import { copyIntoStore, type SetSource } from './copy-set.ts'
import { readSeen } from './freshness-file.ts'
import { takeLock } from './lock.ts'
import { removeLeftovers, type StoredSet } from './publish.ts'
import { removeOldSets } from './retention.ts'
import { artifactSize, openArtifact, requireManifestIn } from './set-directory.ts'
import { STATE_DIRECTORY } from './state-directory.ts'
import { onStore } from './store-errors.ts'
import { prepareStore } from './store-safety.ts'
import { type VerifiedManifest, verify } from './verify.ts'
import { findingsIn } from './verify-set.ts'

export interface StageRequest {
  /** Holds a manifest and the artifacts, under their file names or their role names. */
  readonly directory: string
  /** Instead of the configured store. */
  readonly store?: string
  readonly sources?: ConfigSources
  readonly trustFile?: string
  readonly stateDirectory?: string
}

export interface StageResult {
  readonly manifestDigest: string
  readonly channel: string
  readonly arch: string
  readonly sequence: number
  readonly bytes: number
  /** Where the set lies now. */
  readonly directory: string
  /** It lay there whole and served already; nothing was written. */
  readonly already: boolean
}

/**
 * Puts a set that lies in a directory into the store, so that it is what this machine serves. Verified, copied while it is
 * hashed, synced, and only then published: whatever happens, the store serves the old set or the new one, whole.
 * @throws PlasmError of verify.ts | `artifact-missing` | `artifact-size` | `artifact-digest-mismatch` | `set-older` (facts: `offered`,
 * `stored`) | `already-running` | `store-unsafe` | of store-errors.ts | `config-invalid` | `trust-missing`
 */
export async function stage(request: StageRequest): Promise<StageResult> {
  const config = await readConfig(request.sources)
  const policy = await readTrustPolicy(request.trustFile)
  const root = resolve(request.store ?? config.storeRoot)
  const directory = resolve(request.directory)
  const seen = await readSeen(request.stateDirectory ?? STATE_DIRECTORY)
  const verified = verify(await requireManifestIn(directory), policy, config, { seen })
  const lock = await takeLock(root)
  try {
    return await onStore(root, () => stageLocked({ ...config, storeRoot: root }, policy, directory, verified))
  } finally {
    await lock.release()
  }
}

async function stageLocked(
  config: AgentConfig,
  policy: TrustPolicy,
  directory: string,
  verified: VerifiedManifest,
): Promise<StageResult> {
  const root = config.storeRoot
  await prepareStore(root, config.channel)
  await removeLeftovers(root)
  const current = await usableSet(config, policy)
  const { manifest, digest } = verified
  if (current && manifest.sequence < current.verified.manifest.sequence) throw older(verified, current)
  const already = current?.verified.digest === digest && (await isWhole(current))
  const set = already ? current : await copyIntoStore(root, verified, sourceIn(directory))
  await removeOldSets(root, config.storeMaxBytes)
  const { channel, arch, sequence } = manifest
  return { manifestDigest: digest, channel, arch, sequence, bytes: setBytes(manifest), directory: set.dir, already }
}

/** A set that this machine would not boot any more, an expired one for example, stands in nobody's way. */
async function usableSet(config: AgentConfig, policy: TrustPolicy): Promise<StoredSet | undefined> {
  return currentSet(config.storeRoot, policy, config).catch((thrown) => {
    if (thrown instanceof PlasmError && thrown.code !== 'store-unsafe') return undefined
    throw thrown
  })
}

async function isWhole({ dir, verified }: StoredSet): Promise<boolean> {
  return (await findingsIn(dir, verified.manifest)).every(({ problem }) => problem === null)
}

function sourceIn(directory: string): SetSource {
  return {
    async open(artifact) {
      const file = await openArtifact(directory, artifact)
      const { size } = await file.stat()
      if (size === artifact.size_bytes) return file
      await file.close()
      throw artifactSize(artifact.role, directory, artifact.size_bytes, size)
    },
    differs: ({ role, hash }, found) =>
      new PlasmError('artifact-digest-mismatch', `${role} in ${directory} is not what the manifest says`, {
        facts: { artifact: role, expected: hash, found },
        hint: `see what differs with \`plasm-agent verify ${directory}\`, and fetch it again`,
      }),
  }
}

function older({ manifest }: VerifiedManifest, current: StoredSet): PlasmError {
  const [offered, stored] = [manifest.sequence, current.verified.manifest.sequence]
  return new PlasmError('set-older', `its sequence ${offered} is below ${stored}, which the store serves`, {
    facts: { offered, stored },
    hint: 'publish it again with a higher sequence',
  })
}
