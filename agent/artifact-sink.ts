import { artifactsOf, type ManifestArtifact } from '../service/manifest.ts'
import type { VerifiedManifest } from './verify.ts'

/** Where the verified bytes of one set go, whatever becomes of them there. */
export interface ArtifactSink {
  readonly verified: VerifiedManifest
  /** Roles that do not go there; absent: all go. */
  readonly leftOut?: ReadonlySet<string> | undefined
  /** Role -> bytes that are verified and written, counted from the artifact's start. Kept from one provider to the next. */
  readonly kept: Map<string, number>
  write(role: string, offset: number, bytes: Buffer): void
}

/** The artifacts that go to a sink. */
export function artifactsFor(sink: {
  readonly verified: Pick<VerifiedManifest, 'manifest'>
  readonly leftOut?: ReadonlySet<string> | undefined
}): ReadonlyArray<ManifestArtifact & { readonly role: string }> {
  return artifactsOf(sink.verified.manifest).filter(({ role }) => !sink.leftOut?.has(role))
}
