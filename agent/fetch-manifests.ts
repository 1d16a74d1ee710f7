import * as v from 'valibot'
import { ENVELOPE_FILE, ENVELOPE_MAX_BYTES } from '../service/dsse.ts'
import { asPlasmError, type PlasmError } from '../service/errors.ts'
import { MANIFEST_FILE, MANIFEST_MAX_BYTES } from '../service/manifest.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
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

/**
 * Asks every candidate for its manifest, several at a time: for the envelope where the image has keys, and where there is
 * none, for the plain one. The answers come in the candidates' order.
 */
export async function fetchManifests(
  candidates: readonly Candidate[],
  config: Pick<AgentConfig, 'channel' | 'arch'>,
  { keys }: Pick<TrustPolicy, 'keys'>,
): Promise<readonly ManifestAnswer[]> {
  const place = `/${config.channel}/${config.arch}`
  const answers: ManifestAnswer[] = []
  const queue = [...candidates.entries()]
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, candidate] = next
      answers[index] = await ask(candidate, place, keys.length > 0).catch((thrown) => ({
        candidate,
        error: asPlasmError(thrown),
      }))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return answers
}

async function ask(candidate: Candidate, place: string, signed: boolean): Promise<Answered> {
  const connection = await connectProvider(candidate.url, LIMITS)
  try {
    const raw = (signed && (await askEnvelope(connection, place))) || (await askPlain(connection, place))
    const known = candidate.generation === null ? await introduce(candidate, connection) : candidate
    return { candidate: known, raw }
  } finally {
    await connection.close()
  }
}

/** Undefined where the provider has none. */
async function askEnvelope(connection: ProviderConnection, place: string): Promise<RawManifest | undefined> {
  const path = `${place}/${ENVELOPE_FILE}`
  try {
    const bytes = await readDocument(connection, path, ENVELOPE_MAX_BYTES)
    return { bytes, from: `${connection.url}${path}`, form: 'signed' }
  } catch (thrown) {
    const { code, facts } = asPlasmError(thrown)
    if (code === 'http-status' && facts.status === 404) return undefined
    throw thrown
  }
}

/** Asked for also where it will be refused: a provider with an unsigned set is told from one that has nothing. */
async function askPlain(connection: ProviderConnection, place: string): Promise<RawManifest> {
  const path = `${place}/${MANIFEST_FILE}`
  const bytes = await readDocument(connection, path, MANIFEST_MAX_BYTES)
  return { bytes, from: `${connection.url}${path}`, form: 'plain' }
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
