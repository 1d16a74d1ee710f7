import { readFileSync } from 'node:fs'
import { setBytes } from '../service/manifest.ts'
import type { BootRecord } from './boot-record.ts'
import type { Candidate } from './candidate.ts'
import type { VerifiedManifest } from './verify.ts'

type Given = Pick<
  BootRecord,
  'runId' | 'machine' | 'budget' | 'lowestAvailableMiB' | 'fetchBootId' | 'bootNonce' | 'candidates' | 'timings'
>

/** The boot record of a machine that takes this set from this provider; one that does not tell its generation is an origin. */
export function makeRecord(candidate: Candidate, { manifest, digest }: VerifiedManifest, given: Given): BootRecord {
  const generation = candidate.generation ?? 0
  const { channel, arch, version, sequence } = manifest
  return {
    version: 1,
    ...given,
    generation: generation + 1,
    provider: { url: candidate.url, name: candidate.name, generation, discoveredBy: candidate.source },
    set: { manifestDigest: digest, channel, arch, version, sequence, bytes: setBytes(manifest) },
    handover: 'carry',
  }
}

/** This kernel's boot id: new with every boot and every kexec. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}
