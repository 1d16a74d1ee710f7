import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { type Arch, canonicalArch } from './arch.ts'
import { PlasmError } from './errors.ts'
import { MANIFEST_MAX_BYTES } from './manifest-limits.ts'
import { type JsonValue, parseStrictJson } from './strict-json.ts'

/** Roles an artifact can have in a boot set; `dtb-*` roles keep their own names. */
export type ArtifactRole = 'kernel' | 'initramfs' | 'rootfs' | `dtb-${string}`

/** File name of the plain manifest beside the artifacts, and in URLs. */
export const MANIFEST_FILE = 'manifest.json'

export { MANIFEST_MAX_BYTES }

/** Chunk size that `plasmd manifest generate` writes, bytes. */
export const CHUNK_BYTES = 4 * 1024 * 1024

const CHUNK_MIN_BYTES = 64 * 1024
const CHUNK_MAX_BYTES = 16 * 1024 * 1024

/** cpio newc holds 32-bit sizes, and a boot set crosses kexec in one (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). */
export const ARTIFACT_MAX_BYTES = 0xffff_fffe

const SHA256_HEX = /^[0-9a-f]{64}$/
const SHA256 = /^sha256:[0-9a-f]{64}$/
/** One path component: no separator, not hidden, no control characters. */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/
/** What a channel may be called: one path component. */
export const CHANNEL = /^[a-z0-9][a-z0-9._-]{0,63}$/
const ROLE = /^(kernel|initramfs|rootfs|dtb-[A-Za-z0-9._+-]{1,64})$/
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

const timestamp = v.pipe(
  v.string(),
  v.regex(RFC3339, 'is not an RFC 3339 time'),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'is not an RFC 3339 time'),
)
const byteCount = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(ARTIFACT_MAX_BYTES))

const artifactSchema = v.object({
  filename: v.pipe(v.string(), v.regex(FILE_NAME, 'is not a plain file name')),
  size_bytes: byteCount,
  hash: v.pipe(v.string(), v.regex(SHA256, 'is not sha256:<64 hex digits>')),
  download_url: v.string(),
  chunks: v.optional(
    v.object({
      size: v.pipe(v.number(), v.safeInteger(), v.minValue(CHUNK_MIN_BYTES), v.maxValue(CHUNK_MAX_BYTES)),
      sha256: v.array(v.pipe(v.string(), v.regex(SHA256_HEX, 'is not 64 hex digits'))),
    }),
  ),
})

const manifestSchema = v.object({
  manifest_version: v.literal(1),
  version: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  channel: v.pipe(v.string(), v.regex(CHANNEL, 'is not a channel name')),
  arch: v.string(),
  created_at: timestamp,
  expires_at: timestamp,
  /** Rises with every release of a channel; a foreign plasmd's manifest has none and counts as 0. */
  sequence: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0),
  /** Names of fields that a reader must know, as JWS's `crit` (RFC 7515, 4.1.11); what is not among them may be passed over. */
  critical: v.optional(v.pipe(v.array(v.string()), v.minLength(1))),
  artifacts: v.record(v.pipe(v.string(), v.regex(ROLE, 'is not an artifact name')), artifactSchema),
})

export type ManifestArtifact = v.InferOutput<typeof artifactSchema>

/** A manifest that passed the schema. Says nothing about trust. Wire names are kept (INTEROP: the plain manifest). */
export interface Manifest extends Omit<v.InferOutput<typeof manifestSchema>, 'arch' | 'artifacts'> {
  readonly arch: Arch
  readonly artifacts: Readonly<Record<string, ManifestArtifact>> & {
    readonly kernel: ManifestArtifact
    readonly initramfs: ManifestArtifact
  }
}

/** `sha256:<hex>` over the exact bytes: the manifest digest (DESIGN decision 2) and every other digest here. */
export function sha256Of(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** The manifest's artifacts as a list, in role order as written. */
export function artifactsOf(manifest: Manifest): ReadonlyArray<ManifestArtifact & { readonly role: string }> {
  return Object.entries(manifest.artifacts).map(([role, artifact]) => ({ role, ...artifact }))
}

/** Sum of all artifacts, bytes. */
export function setBytes(manifest: Manifest): number {
  return artifactsOf(manifest).reduce((sum, artifact) => sum + artifact.size_bytes, 0)
}

/** Fields that the document has beside the schema's: readers pass over them. */
const PASSED_OVER: readonly string[] = ['signatures', 'provider']
const KNOWN: ReadonlySet<string> = new Set([...Object.keys(manifestSchema.entries), ...PASSED_OVER])

/**
 * Parses a plain manifest and checks everything that can be checked without its signers.
 * @param bytes the document exactly as received
 * @throws PlasmError `manifest-too-large` | `manifest-invalid` (facts: `field`)
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  return check(parseJson(bytes))
}

/** {@link parseManifest} for the payload of an envelope, which says nothing of signatures and of who serves it. */
export function parsePayload(bytes: Uint8Array): Manifest {
  const document = parseJson(bytes)
  for (const field of PASSED_OVER) {
    if (Object.hasOwn(Object(document), field)) throw invalid(field, 'has no place in a signed manifest')
  }
  return check(document)
}

function check(document: JsonValue): Manifest {
  const parsed = v.safeParse(manifestSchema, document)
  if (!parsed.success) {
    const issue = parsed.issues[0]
    throw invalid(v.getDotPath(issue) ?? '(document)', issue.message)
  }
  for (const [index, field] of (parsed.output.critical ?? []).entries()) {
    if (!KNOWN.has(field)) throw invalid(`critical.${index}`, `names ${field}, which is not known here`)
    if (!Object.hasOwn(Object(document), field))
      throw invalid(`critical.${index}`, `names ${field}, which is not there`)
  }
  const arch = canonicalArch(parsed.output.arch)
  if (!arch) throw invalid('arch', `"${parsed.output.arch}" is not an architecture known here`)
  const { kernel, initramfs } = parsed.output.artifacts
  if (!kernel) throw invalid('artifacts.kernel', 'is missing')
  if (!initramfs) throw invalid('artifacts.initramfs', 'is missing')
  const names = new Set<string>()
  for (const [role, artifact] of Object.entries(parsed.output.artifacts)) {
    checkArtifact(`artifacts.${role}`, artifact, { channel: parsed.output.channel, arch })
    if (names.has(artifact.filename)) throw invalid(`artifacts.${role}.filename`, 'is used by two artifacts')
    names.add(artifact.filename)
  }
  return { ...parsed.output, arch, artifacts: { ...parsed.output.artifacts, kernel, initramfs } }
}

function parseJson(bytes: Uint8Array): JsonValue {
  if (bytes.byteLength > MANIFEST_MAX_BYTES) {
    throw new PlasmError('manifest-too-large', `manifest is ${bytes.byteLength} bytes, ${MANIFEST_MAX_BYTES} at most`, {
      facts: { bytes: bytes.byteLength, limit: MANIFEST_MAX_BYTES },
    })
  }
  try {
    return parseStrictJson(bytes, { maxBytes: MANIFEST_MAX_BYTES })
  } catch (cause) {
    const { message, facts } = cause as PlasmError
    throw new PlasmError('manifest-invalid', `manifest: ${message}`, { facts, cause })
  }
}

function checkArtifact(field: string, artifact: ManifestArtifact, place: { channel: string; arch: Arch }): void {
  if (artifact.filename.startsWith('manifest.')) throw invalid(`${field}.filename`, 'is a name kept for manifests')
  const parts = artifact.download_url.split('/')
  const [root, channel, arch, filename] = parts
  const fits =
    parts.length === 4 &&
    root === '' &&
    channel === place.channel &&
    canonicalArch(arch ?? '') === place.arch &&
    filename === artifact.filename
  if (!fits) throw invalid(`${field}.download_url`, `is not /${place.channel}/${place.arch}/${artifact.filename}`)
  const { chunks } = artifact
  if (chunks && chunks.sha256.length !== Math.ceil(artifact.size_bytes / chunks.size)) {
    throw invalid(`${field}.chunks.sha256`, 'does not have one digest per chunk')
  }
}

function invalid(field: string, problem: string): PlasmError {
  return new PlasmError('manifest-invalid', `manifest field ${field} ${problem}`, {
    facts: { field },
    hint: 'the provider serves a broken manifest; regenerate it with `plasmd manifest generate`',
  })
}
