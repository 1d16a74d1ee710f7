import { createHash, type Hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arch } from './arch.ts'
import { artifactFiles } from './artifact-files.ts'
import { PlasmError } from './errors.ts'
import { ARTIFACT_MAX_BYTES, CHUNK_BYTES, type ManifestArtifact } from './manifest.ts'

export interface Release {
  readonly channel: string
  readonly arch: Arch
  readonly version: string
  readonly sequence: number
  readonly createdAt: Date
  readonly expiresAt: Date
}

/**
 * The plain manifest of a directory of artifacts (INTEROP: compact JSON), with a digest for each chunk.
 * @throws PlasmError `artifact-missing` | `artifact-empty` | `artifact-too-large`
 */
export async function generateManifest(dir: string, release: Release): Promise<Uint8Array> {
  const files = await artifactFiles(dir)
  for (const role of ['kernel', 'initramfs'] as const) {
    if (!files.has(role)) {
      throw new PlasmError('artifact-missing', `${dir} has no ${role}`, {
        facts: { directory: dir, artifact: role },
        hint: 'a kernel is named kernel, vmlinuz*, bzImage* or Image; an initramfs is named initramfs* or initrd*',
      })
    }
  }
  const artifacts: Record<string, ManifestArtifact> = {}
  for (const [role, filename] of files) {
    const digests = await digestFile(join(dir, filename))
    artifacts[role] = {
      filename,
      size_bytes: digests.size,
      hash: `sha256:${digests.whole}`,
      download_url: `/${release.channel}/${release.arch}/${filename}`,
      chunks: { size: CHUNK_BYTES, sha256: digests.chunks },
    }
  }
  const manifest = {
    manifest_version: 1,
    version: release.version,
    channel: release.channel,
    arch: release.arch,
    created_at: rfc3339(release.createdAt),
    expires_at: rfc3339(release.expiresAt),
    sequence: release.sequence,
    artifacts,
    signatures: [],
  }
  return Buffer.from(JSON.stringify(manifest))
}

function rfc3339(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}

async function digestFile(path: string): Promise<{ size: number; whole: string; chunks: string[] }> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    if (size === 0) throw new PlasmError('artifact-empty', `${path} is empty`, { facts: { file: path } })
    if (size > ARTIFACT_MAX_BYTES) {
      throw new PlasmError('artifact-too-large', `${path} is ${size} bytes, ${ARTIFACT_MAX_BYTES} at most`, {
        facts: { file: path, bytes: size, limit: ARTIFACT_MAX_BYTES },
      })
    }
    const whole: Hash = createHash('sha256')
    const chunks: string[] = []
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    for (let at = 0; at < size; at += CHUNK_BYTES) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at)
      const chunk = buffer.subarray(0, bytesRead)
      whole.update(chunk)
      chunks.push(createHash('sha256').update(chunk).digest('hex'))
    }
    return { size, whole: whole.digest('hex'), chunks }
  } finally {
    await file.close()
  }
}
