import { join } from 'node:path'
import * as v from 'valibot'
import { PlasmError } from '../service/errors.ts'
import { PRIVATE_FILE, readRegular, writeWhole } from './store-files.ts'

const TRIALS_MAX_BYTES = 64 * 1024
/** Of releases that a publisher has long replaced nobody needs to know any more. */
const BAD_KEPT = 64

const digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'is not sha256:<64 hex digits>'))

const trialSchema = v.looseObject({
  digest,
  previous: digest,
  nonce: v.string(),
  fromBootId: v.string(),
  withinMs: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
})

const badSchema = v.looseObject({ digest, at: v.string(), reason: v.string() })

/** What a newer agent adds is passed over: the one before it reads this file when the newer one has failed. */
const trialsSchema = v.looseObject({
  version: v.literal(1),
  trial: v.nullable(trialSchema),
  bad: v.pipe(v.array(badSchema), v.maxLength(BAD_KEPT)),
})

/** A set that this machine has gone on to, and that has still to become ready. */
export interface Trial {
  /** Manifest digest. */
  readonly digest: string
  /** The set that was served before it, and is to be booted again where this one fails. */
  readonly previous: string
  /** `plasm.boot=` of the kernel that was started for it. */
  readonly nonce: string
  /** Boot id of the kernel that started that one: where it still runs, the other one was never started. */
  readonly fromBootId: string
  /** How long that kernel may take to become ready, ms after its start: a clock that is set meanwhile changes nothing. */
  readonly withinMs: number
}

export interface BadSet {
  /** Manifest digest: another release of the same content is another set. */
  readonly digest: string
  /** RFC 3339. */
  readonly at: string
  readonly reason: string
}

export interface Trials {
  readonly trial: Trial | null
  /** Newest last. */
  readonly bad: readonly BadSet[]
}

export const NO_TRIALS: Trials = { trial: null, bad: [] }

const trialsFile = (directory: string) => join(directory, 'trials.json')

/**
 * What this machine remembers of sets that it went on to by kexec (roll-on.ts). As with freshness.json, a file that is not
 * what was written is no leave to forget.
 * @throws PlasmError `freshness-state-invalid` (facts: `file`, `field`)
 */
export async function readTrials(directory: string): Promise<Trials> {
  const file = trialsFile(directory)
  const bytes = await readRegular(file, TRIALS_MAX_BYTES).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOTDIR') return undefined
    throw invalid(file, '(document)', cause.message, cause)
  })
  if (!bytes) return NO_TRIALS
  const parsed = v.safeParse(trialsSchema, parse(file, bytes))
  if (parsed.success) return { trial: parsed.output.trial, bad: parsed.output.bad }
  const issue = parsed.issues[0]
  throw invalid(file, v.getDotPath(issue) ?? '(document)', issue.message)
}

/** @param directory must be there: what is on trial has to be remembered through a power cut */
export async function writeTrials(directory: string, { trial, bad }: Trials): Promise<void> {
  const document = { version: 1, trial, bad: bad.slice(-BAD_KEPT) }
  await writeWhole(trialsFile(directory), `${JSON.stringify(document)}\n`, PRIVATE_FILE)
}

function parse(file: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw invalid(file, '(document)', (cause as Error).message, cause)
  }
}

function invalid(file: string, field: string, problem: string, cause?: unknown): PlasmError {
  return new PlasmError('freshness-state-invalid', `${file}: ${problem}`, {
    facts: { file, field },
    hint: `find out what damaged it; removing ${file} lets this machine boot sets again that did not come up`,
    cause,
  })
}
