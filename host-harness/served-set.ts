import { createHash } from 'node:crypto'
import { request } from 'undici'
import { artifactsOf } from '../service/manifest.ts'
import type { PublishedSet } from './chain-spec.ts'

const DOWNLOAD_WITHIN_MS = 120_000

/**
 * Downloads the manifest document and the artifacts from a machine and compares them with what was published.
 * @param base `http://address:port`
 * @returns what differs, one sentence each; empty when it serves the same set
 */
export async function servedSetDifferences(
  base: string,
  { manifest, document }: PublishedSet,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const directory = `${base}/${manifest.channel}/${manifest.arch}`
  const wanted = [
    { filename: document.file, hash: document.hash },
    ...artifactsOf(manifest).map(({ filename, hash }) => ({ filename, hash })),
  ]
  const differences: string[] = []
  for (const { filename, hash } of wanted) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(DOWNLOAD_WITHIN_MS)])
    const found = await digestOf(`${directory}/${filename}`, limit).catch((thrown: Error) => thrown.message)
    if (found !== hash) differences.push(`${filename} is ${found}, published was ${hash}`)
  }
  return differences
}

async function digestOf(url: string, signal: AbortSignal): Promise<string> {
  const { statusCode, body } = await request(url, { signal })
  if (statusCode !== 200) throw new Error(`answered with ${statusCode}`)
  const hash = createHash('sha256')
  for await (const part of body) hash.update(part as Buffer)
  return `sha256:${hash.digest('hex')}`
}
