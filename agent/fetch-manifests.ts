import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { ENVELOPE_FILE, ENVELOPE_MAX_BYTES } from '../service/dsse.ts'
import { asPlasmError, PlasmError } from '../service/errors.ts'
import { MANIFEST_FILE, MANIFEST_MAX_BYTES } from '../service/manifest.ts'
import type { TrustPolicy } from '../service/trust-policy.ts'
import type { Candidate } from './candidate.ts'
import type { AgentConfig } from './config.ts'
import { connectProvider, type ProviderConnection, readDocument } from './http-body.ts'
import type { RawManifest } from './verify.ts'

const AT_ONCE = 8
const LIMITS = { connectMs: 3_000, headersMs: 3_000, stallMs: 3_000 }
const STATUS_MAX_BYTES = 64 * 1024
/** One that gives a byte now and then must not hold up a boot from others. */
export interface AskTiming {
  /** For all that is asked of one provider, ms. */
  readonly wholeMs: number
  /** How long each may still take once one of them has given a manifest, ms. */
  readonly othersMs: number
}

const ASK_TIMING: AskTiming = { wholeMs: 10_000, othersMs: 2_000 }

/** A candidate that answered: its manifest as received, its name and generation as it tells them, and where it was reached. */
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

/** Asks providers for their manifests, each once. */
export interface ManifestAsker {
  /**
   * Begins while discovery still waits for others. Only the first few: anybody can advertise many.
   * @returns the manifest, or undefined where none came, or it was not asked for
   */
  begin(candidate: Candidate): Promise<RawManifest | undefined>
  /** In the candidates' order. */
  answers(candidates: readonly Candidate[]): Promise<readonly ManifestAnswer[]>
}

/** What came from a URL: the document, and who is there, where discovery did not say. */
interface Told {
  readonly raw: RawManifest
  /** Where it was connected to, if not at the URL's host. */
  readonly reach: string | undefined
  readonly introduced: Pick<Candidate, 'name' | 'generation'> | undefined
}

/** Asks for the envelope where the image has keys, and where there is none, for the plain manifest. */
export function createManifestAsker(
  config: Pick<AgentConfig, 'channel' | 'arch'>,
  { keys }: Pick<TrustPolicy, 'keys'>,
  { wholeMs, othersMs }: AskTiming = ASK_TIMING,
): ManifestAsker {
  const place = `/${config.channel}/${config.arch}`
  const asked = new Map<string, Promise<Told>>()
  const ask = (candidate: Candidate): Promise<Told> => {
    const known = asked.get(candidate.url)
    if (known) return known
    const told = askProvider(candidate, place, keys.length > 0, wholeMs)
    // Whoever waits for the answer is told of its failure.
    told.catch(() => {})
    asked.set(candidate.url, told)
    return told
  }
  return {
    async begin(candidate) {
      if (asked.size >= AT_ONCE) return undefined
      return ask(candidate).then(
        ({ raw }) => raw,
        () => undefined,
      )
    },
    async answers(candidates) {
      const answers: ManifestAnswer[] = []
      const queue = [...candidates.entries()]
      const first = Promise.withResolvers<void>()
      const end = new AbortController()
      const told = async (candidate: Candidate): Promise<Told> => {
        const mine = sleep(othersMs, undefined, { signal: end.signal })
        const late = Promise.all([mine, first.promise.then(() => sleep(othersMs, undefined, { signal: end.signal }))])
        const answer = ask(candidate).then((told) => {
          first.resolve()
          return told
        })
        return Promise.race([answer, late.then(() => Promise.reject(tooLate(candidate.url, othersMs)))])
      }
      const work = async () => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          const [index, candidate] = next
          answers[index] = await told(candidate).then(
            ({ raw, introduced, reach }) => ({ candidate: reachedAt(introducing(candidate, introduced), reach), raw }),
            (thrown) => ({ candidate, error: asPlasmError(thrown) }),
          )
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      end.abort()
      return answers
    },
  }
}

const tooLate = (url: string, milliseconds: number) =>
  new PlasmError('transfer-broken', `${url}: no whole manifest within ${milliseconds / 1000} s`, { facts: { url } })

/** At each of its addresses in turn, until it can be asked. @throws PlasmError what the last one failed with */
async function askProvider(candidate: Candidate, place: string, signed: boolean, wholeMs: number): Promise<Told> {
  const until = performance.now() + wholeMs
  const askAt = async ([reach, ...others]: ReadonlyArray<string | undefined>): Promise<Told> => {
    const at = reach === undefined ? candidate : { ...candidate, reach }
    const leftMs = until - performance.now()
    try {
      const told = await askOnce(at, place, signed, (work) => within(leftMs, tooLate(candidate.url, wholeMs), work))
      return { ...told, reach }
    } catch (thrown) {
      const isBroken = asPlasmError(thrown).code === 'transfer-broken'
      if (others.length === 0 || !isBroken || performance.now() >= until) throw thrown
      return askAt(others)
    }
  }
  return askAt([candidate.reach, ...(candidate.also ?? [])])
}

async function askOnce(
  candidate: Candidate,
  place: string,
  signed: boolean,
  inTime: <T>(work: Promise<T>) => Promise<T>,
): Promise<Omit<Told, 'reach'>> {
  const connection = await connectProvider(candidate, LIMITS)
  const read = async (): Promise<Omit<Told, 'reach'>> => {
    const raw = (signed && (await askEnvelope(connection, place))) || (await askPlain(connection, place))
    return { raw, introduced: candidate.generation === null ? await introduce(connection) : undefined }
  }
  try {
    return await inTime(read())
  } finally {
    await connection.close()
  }
}

/** @throws PlasmError `problem` where it takes longer */
async function within<T>(milliseconds: number, problem: PlasmError, work: Promise<T>): Promise<T> {
  const end = new AbortController()
  const late = sleep(milliseconds, undefined, { signal: end.signal }).then(() => Promise.reject(problem))
  return Promise.race([work, late]).finally(() => {
    end.abort()
    // Whichever was not waited for ends by an error of its own.
    for (const left of [work, late]) left.catch(() => {})
  })
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
async function introduce(connection: ProviderConnection): Promise<Told['introduced']> {
  try {
    const text = (await readDocument(connection, '/status', STATUS_MAX_BYTES)).toString('utf8')
    const { machine, generation } = v.parse(statusSchema, JSON.parse(text))
    return { name: machine ?? null, generation: generation ?? null }
  } catch {
    return undefined
  }
}

/** All that is asked of it from now on is asked there. */
const reachedAt = (candidate: Candidate, reach: string | undefined): Candidate =>
  reach === undefined ? candidate : { ...candidate, reach }

/** An advertisement may have told more by now than the candidate said when it was asked. */
function introducing(candidate: Candidate, told: Told['introduced']): Candidate {
  if (candidate.generation !== null || !told) return candidate
  return { ...candidate, name: told.name ?? candidate.name, generation: told.generation }
}
