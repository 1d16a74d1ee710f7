import { readFileSync } from 'node:fs'
import { setBytes } from '../service/manifest.ts'
import type { BootRecord } from './boot-record.ts'
import type { Candidate } from './candidate.ts'
import type { Proven } from './request-receipt.ts'
import type { VerifiedManifest } from './verify.ts'

type Given = Pick<
  BootRecord,
  | 'runId'
  | 'machine'
  | 'peerId'
  | 'handover'
  | 'budget'
  | 'lowestAvailableMiB'
  | 'fetchBootId'
  | 'bootNonce'
  | 'candidates'
  | 'timings'
>

/** The boot record of a machine that takes this set from this provider; one that does not tell its generation is an origin. */
export function makeRecord(
  candidate: Candidate,
  { manifest, digest, signedBy }: VerifiedManifest,
  given: Given,
  proven?: Pick<Proven, 'peerId'>,
): BootRecord {
  const generation = candidate.generation ?? 0
  const { channel, arch, version, sequence } = manifest
  return {
    version: 1,
    ...given,
    generation: generation + 1,
    provider: {
      url: candidate.url,
      name: candidate.name,
      generation,
      discoveredBy: candidate.source,
      peerId: proven?.peerId ?? null,
      provenBy: proven ? 'receipt' : null,
    },
    set: { manifestDigest: digest, channel, arch, version, sequence, bytes: setBytes(manifest), signedBy },
  }
}

/** This kernel's boot id: new with every boot and every kexec. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}
