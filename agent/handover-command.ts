import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { artifactsOf, type ManifestArtifact } from '../service/manifest.ts'
import { makeNodeKey } from '../service/node-key.ts'
import { readTrustPolicy } from '../service/trust-policy.ts'
import { createReceiver } from './artifact-receiver.ts'
import { budgetOf, sizesFor } from './budget.ts'
import { completeSet } from './complete-set.ts'
import { type ConfigSources, readConfig } from './config.ts'
import { readSeen } from './freshness-file.ts'
import { handOver } from './handover.ts'
import { handoverParameters } from './kernel-command-line.ts'
import { makeRecord, readBootId } from './make-record.ts'
import { readMemory } from './memory.ts'
import { providerUrl } from './provider-url.ts'
import { artifactSize, missing, openArtifact, requireManifestIn } from './set-directory.ts'
import { createSetWriter, type SetWriter } from './set-writer.ts'
import { STATE_DIRECTORY } from './state-directory.ts'
import { verify } from './verify.ts'

export interface HandoverRequest {
  /** Holds manifest.dsse.json or manifest.json and the artifacts, under their file names or their role names. */
  readonly directory: string
  /** The initrd to write. */
  readonly initrd: string
  /** A verified copy of the kernel to write, too. */
  readonly kernel?: string
  /** Where the caller fetched it from, for the boot record. */
  readonly provider?: string
  readonly sources?: ConfigSources
  readonly trustFile?: string
  readonly stateDirectory?: string
}

export interface HandoverResult {
  readonly initrd: string
  readonly initrdBytes: number
  readonly kernel: string | null
  readonly manifestDigest: string
  /** To append to the next kernel's command line. */
  readonly append: string
}

const READ_BYTES = 1024 * 1024

/**
 * Handover for an init that downloads and kexecs by itself (DESIGN decision 5): verifies a set that lies in a directory and
 * builds the initrd that carries it. On failure nothing is left behind.
 * @throws PlasmError of verify.ts and freshness-file.ts; `not-a-file` | `file-too-large` | `artifact-missing` |
 * `artifact-size` | `chunk-digest-mismatch` | `artifact-digest-mismatch` | `scratch-full` | `config-invalid` |
 * `trust-missing` | `trust-policy-invalid`
 */
export async function handover(request: HandoverRequest): Promise<HandoverResult> {
  const config = await readConfig(request.sources)
  const policy = await readTrustPolicy(request.trustFile)
  const directory = resolve(request.directory)
  const provider = request.provider === undefined ? undefined : providerUrl('--provider', request.provider)
  const raw = await requireManifestIn(directory)
  const seen = await readSeen(request.stateDirectory ?? STATE_DIRECTORY)
  const verified = verify(raw, policy, config, { seen })
  const { bavail, bsize } = await statfs(dirname(resolve(request.initrd)))
  const writer = createSetWriter(verified, { initrd: request.initrd, kernel: request.kernel })
  try {
    const roles = artifactsOf(verified.manifest)
    const initramfsFirst = [...roles].sort((a, b) => Number(b.role === 'initramfs') - Number(a.role === 'initramfs'))
    for (const artifact of initramfsFirst) await copyArtifact(directory, artifact, writer)
    const bootNonce = randomBytes(16).toString('hex')
    const memory = readMemory()
    const candidate = {
      url: provider ?? `file://${directory}`,
      source: 'static',
      name: null,
      generation: null,
    } as const
    const key = makeNodeKey()
    const record = makeRecord(candidate, verified, {
      runId: config.runId,
      machine: config.machine,
      peerId: key.peerId,
      handover: 'carry',
      budget: budgetOf(sizesFor(verified.manifest, 'carry'), memory, bavail * bsize),
      lowestAvailableMiB: memory.availableMiB,
      fetchBootId: readBootId(),
      bootNonce,
      candidates: [{ ...candidate, verdict: 'chosen' }],
      timings: [],
    })
    const { initrdBytes } = handOver(completeSet(writer), request.kernel ?? '', {
      identity: { key, lineage: [] },
      record,
    })
    return {
      initrd: request.initrd,
      initrdBytes,
      kernel: request.kernel ?? null,
      manifestDigest: verified.digest,
      append: handoverParameters(bootNonce).join(' '),
    }
  } catch (thrown) {
    writer.discard()
    throw thrown
  }
}

async function copyArtifact(
  directory: string,
  artifact: ManifestArtifact & { readonly role: string },
  writer: SetWriter,
): Promise<void> {
  const { role, size_bytes: size } = artifact
  const file = await openArtifact(directory, artifact)
  try {
    const { size: found } = await file.stat()
    if (found !== size) throw artifactSize(role, directory, size, found)
    const receiver = createReceiver(artifact, {
      role,
      provider: directory,
      from: 0,
      write: (offset, block) => writer.write(role, offset, block),
      onVerified: (verified) => writer.kept.set(role, verified),
    })
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    while (receiver.position() < size) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, receiver.position())
      if (bytesRead === 0) throw missing(role, directory, undefined)
      receiver.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
