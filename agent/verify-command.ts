import { resolve } from 'node:path'
import { readTrustPolicy, type TrustPolicy } from '../service/trust-policy.ts'
import type { ArtifactFinding } from './artifact-finding.ts'
import { type AgentConfig, type ConfigSources, readConfig } from './config.ts'
import { createManifestAsker } from './fetch-manifests.ts'
import { providerUrl } from './provider-url.ts'
import { requireManifestIn } from './set-directory.ts'
import { type RawManifest, verify } from './verify.ts'
import { findingsAt, findingsIn } from './verify-set.ts'

export interface VerifyRequest {
  /** A directory with a manifest and its artifacts, or a provider's base URL. */
  readonly what: string
  readonly sources?: ConfigSources
  readonly trustFile?: string
}

export interface VerifyResult {
  /** Path of the directory, or the URL. */
  readonly from: string
  readonly manifestDigest: string
  readonly channel: string
  readonly arch: string
  readonly version: string
  readonly sequence: number
  /** Whether every artifact is what the manifest says. */
  readonly whole: boolean
  readonly artifacts: readonly ArtifactFinding[]
}

/**
 * Reads everything of a boot set and compares it with its manifest, which must be one that this machine trusts.
 * @throws PlasmError of verify.ts, `artifact-missing`, `not-a-file`, `file-too-large` (no manifest) | of fetch-manifests.ts |
 * `config-invalid` | `trust-missing`
 */
export async function verifySet({ what, sources, trustFile }: VerifyRequest): Promise<VerifyResult> {
  const config = await readConfig(sources)
  const policy = await readTrustPolicy(trustFile)
  const isUrl = /^[a-z]+:\/\//i.test(what)
  const from = isUrl ? baseOf(providerUrl('URL', what), config) : resolve(what)
  const raw = isUrl ? await manifestAt(from, config, policy) : await requireManifestIn(from)
  const { manifest, digest } = verify(raw, policy, config)
  const artifacts = await (isUrl ? findingsAt(from, manifest) : findingsIn(from, manifest))
  const { channel, arch, version, sequence } = manifest
  const whole = artifacts.every(({ problem }) => problem === null)
  return { from, manifestDigest: digest, channel, arch, version, sequence, whole, artifacts }
}

/** Some name the place of the set, which is what `plasmd manifest verify` wants. */
function baseOf(url: string, { channel, arch }: AgentConfig): string {
  const place = `/${channel}/${arch}`
  return url.endsWith(place) ? url.slice(0, -place.length) : url
}

async function manifestAt(url: string, config: AgentConfig, policy: TrustPolicy): Promise<RawManifest> {
  const asker = createManifestAsker(config, policy)
  const [answer] = await asker.answers([{ url, source: 'static', name: null, generation: 0 }])
  if ('error' in answer!) throw answer.error
  return answer!.raw
}

/** For people: a line for each artifact, and what to look at. */
export function describeFindings({ from, manifestDigest, artifacts, whole }: VerifyResult): readonly string[] {
  const wrong = artifacts.filter(({ problem }) => problem !== null).map(({ artifact }) => artifact)
  return [
    `${from}: ${manifestDigest}`,
    ...artifacts.map((finding) => `  ${finding.artifact.padEnd(10)} ${describe(finding)}`),
    whole ? 'every artifact is what the manifest says' : `not what the manifest says: ${wrong.join(', ')}`,
  ]
}

function describe({ problem, expected, expectedBytes, found, foundBytes, firstWrongChunk, detail }: ArtifactFinding) {
  switch (problem) {
    case null:
      return `right: ${expectedBytes} bytes, ${expected}`
    case 'missing':
    case 'unreadable':
      return `${problem}: ${detail}`
    case 'size':
      return `wrong: ${foundBytes} bytes, not ${expectedBytes}`
    case 'digest':
      return `wrong: ${found}, not ${expected}${firstWrongChunk === null ? '' : ` (first in chunk ${firstWrongChunk})`}`
  }
}
