import type { VerifiedManifest } from './verify.ts'

/** Where the verified bytes of one set go, whatever becomes of them there. */
export interface ArtifactSink {
  readonly verified: VerifiedManifest
  /** Role -> bytes that are verified and written, counted from the artifact's start. Kept from one provider to the next. */
  readonly kept: Map<string, number>
  write(role: string, offset: number, bytes: Buffer): void
}
