import * as v from 'valibot'
import { asPlasmError, type PlasmError } from '../service/errors.ts'
import { MANIFEST_FILE, MANIFEST_MAX_BYTES } from '../service/manifest.ts'
import type { Candidate } from './candidate.ts'
import type { AgentConfig } from './config.ts'
import { connectProvider, type ProviderConnection, readDocument } from './http-body.ts'
import type { RawManifest } from './verify.ts'

const AT_ONCE = 8
const LIMITS = { connectMs: 3_000, headersMs: 3_000, stallMs: 3_000 }
const STATUS_MAX_BYTES = 64 * 1024

/** A candidate that answered: its manifest as received, its name and generation as it tells them. */
export interface Answered {
  readonly candidate: Candidate
  readonly raw: RawManifest
}

export type ManifestAnswer = Answered | { readonly candidate: Candidate; readonly error: PlasmError }

/** What ours adds to `GET /status`; a foreign plasmd has neither. */
const statusSchema = v.object({
  machine: v.nullish(v.string()),
  generation: v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
})

/** Asks every candidate for its manifest, several at a time. The answers come in the candidates' order. */
export async function fetchManifests(
  candidates: readonly Candidate[],
  config: Pick<AgentConfig, 'channel' | 'arch'>,
): Promise<readonly ManifestAnswer[]> {
  const path = `/${config.channel}/${config.arch}/${MANIFEST_FILE}`
  const answers: ManifestAnswer[] = []
  const queue = [...candidates.entries()]
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, candidate] = next
      answers[index] = await ask(candidate, path).catch((thrown) => ({ candidate, error: asPlasmError(thrown) }))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return answers
}

async function ask(candidate: Candidate, path: string): Promise<Answered> {
  const connection = await connectProvider(candidate.url, LIMITS)
  try {
    const bytes = await readDocument(connection, path, MANIFEST_MAX_BYTES)
    const known = candidate.generation === null ? await introduce(candidate, connection) : candidate
    return { candidate: known, raw: { bytes, from: `${candidate.url}${path}` } }
  } finally {
    await connection.close()
  }
}

/** A provider named by its URL has not said who it is; one that does not answer this counts as an origin. */
async function introduce(candidate: Candidate, connection: ProviderConnection): Promise<Candidate> {
  try {
    const text = (await readDocument(connection, '/status', STATUS_MAX_BYTES)).toString('utf8')
    const { machine, generation } = v.parse(statusSchema, JSON.parse(text))
    return { ...candidate, name: machine ?? candidate.name, generation: generation ?? null }
  } catch {
    return candidate
  }
}
