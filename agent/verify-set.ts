import { asPlasmError } from '../service/errors.ts'
import { artifactsOf, type Manifest, type ManifestArtifact } from '../service/manifest.ts'
import { type ArtifactFinding, digestArtifact, unread } from './artifact-finding.ts'
import { TRANSFER_LIMITS } from './http-body.ts'
import { streamHttp } from './http-stream.ts'
import { openArtifact } from './set-directory.ts'

const READ_BYTES = 1024 * 1024

type Artifact = ManifestArtifact & { readonly role: string }

/** Reads every artifact of a set that lies in a directory and compares it with the manifest; none is left out when one is wrong. */
export function findingsIn(directory: string, manifest: Manifest): Promise<readonly ArtifactFinding[]> {
  return inOrder(manifest, (artifact) => readFile(directory, artifact))
}

/** The same for what a provider serves. @param url the provider's base URL */
export function findingsAt(url: string, manifest: Manifest): Promise<readonly ArtifactFinding[]> {
  return inOrder(manifest, (artifact) => readUrl(`${url}${artifact.download_url}`, artifact))
}

/** One after the other, so memory stays flat. */
async function inOrder(
  manifest: Manifest,
  read: (artifact: Artifact) => Promise<ArtifactFinding>,
): Promise<readonly ArtifactFinding[]> {
  const findings: ArtifactFinding[] = []
  for (const artifact of artifactsOf(manifest)) {
    findings.push(await read(artifact).catch((thrown) => notRead(artifact, thrown)))
  }
  return findings
}

function notRead(artifact: Artifact, thrown: unknown): ArtifactFinding {
  const { code, message } = asPlasmError(thrown)
  return unread(artifact, code === 'artifact-missing' ? 'missing' : 'unreadable', message)
}

async function readFile(directory: string, artifact: Artifact): Promise<ArtifactFinding> {
  const file = await openArtifact(directory, artifact)
  try {
    if (!(await file.stat()).isFile()) return unread(artifact, 'unreadable', 'it is not a regular file')
    const digest = digestArtifact(artifact)
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return digest.finding()
      digest.push(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
  } finally {
    await file.close()
  }
}

async function readUrl(url: string, artifact: Artifact): Promise<ArtifactFinding> {
  const digest = digestArtifact(artifact)
  let bytes = 0
  const answer = await streamHttp({
    url,
    method: 'GET',
    patience: TRANSFER_LIMITS,
    onBody(data) {
      bytes += data.length
      if (bytes > artifact.size_bytes) throw new Error(`${url} sends more than ${artifact.size_bytes} bytes`)
      digest.push(data)
    },
  })
  if (answer.status === 404) return unread(artifact, 'missing', `${url} answered 404`)
  return answer.status === 200 ? digest.finding() : unread(artifact, 'unreadable', `${url} answered ${answer.status}`)
}
