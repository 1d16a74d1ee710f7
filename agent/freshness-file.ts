import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { PlasmError } from '../service/errors.ts'
import { NOTHING_SEEN, placeOf, type SeenRelease, type SeenReleases } from '../service/freshness.ts'
import { parseStrictJson } from '../service/strict-json.ts'
import { PRIVATE_FILE, readRegular, writeWhole } from './store-files.ts'
import { readTrials } from './trial-file.ts'
import type { VerifiedManifest } from './verify.ts'

const STATE_MAX_BYTES = 64 * 1024

const stateSchema = v.strictObject({
  version: v.literal(1),
  // An array would pass for an empty record.
  channels: v.pipe(
    v.custom<object>((value) => !Array.isArray(value), 'is a list'),
    v.record(
      v.string(),
      v.strictObject({
        sequence: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
        digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'is not sha256:<64 hex digits>')),
      }),
    ),
  ),
})

const stateFile = (directory: string) => join(directory, 'freshness.json')

/**
 * What this machine remembers of the releases it used. A file that is not what was written is no leave to forget.
 * @throws PlasmError `freshness-state-invalid` (facts: `file`, `field`)
 */
export async function readSeen(directory: string): Promise<SeenReleases> {
  const file = stateFile(directory)
  const bytes = await readRegular(file, STATE_MAX_BYTES).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOTDIR') return undefined
    throw invalid(file, '(document)', cause.message, cause)
  })
  const bad = new Set((await readTrials(directory)).bad.map(({ digest }) => digest))
  if (!bytes) return { ...NOTHING_SEEN, bad }
  const parsed = v.safeParse(stateSchema, parse(file, bytes))
  if (parsed.success) return { newest: new Map(Object.entries(parsed.output.channels)), bad }
  const issue = parsed.issues[0]
  throw invalid(file, v.getDotPath(issue) ?? '(document)', issue.message)
}

/**
 * Notes a release as used, once it has proven itself: one that does not come up must not shut out the one before it. Only
 * what was signed counts, and only a higher sequence; without the directory nothing is noted.
 */
export async function remember(directory: string, { manifest, digest, signedBy }: VerifiedManifest): Promise<void> {
  if (signedBy.length === 0 || !(await isDirectory(directory))) return
  const { newest } = await readSeen(directory)
  const place = placeOf(manifest)
  if ((newest.get(place)?.sequence ?? -1) >= manifest.sequence) return
  const channels: Record<string, SeenRelease> = Object.fromEntries(newest)
  channels[place] = { sequence: manifest.sequence, digest }
  await writeWhole(stateFile(directory), `${JSON.stringify({ version: 1, channels })}\n`, PRIVATE_FILE)
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

function parse(file: string, bytes: Buffer): unknown {
  try {
    return parseStrictJson(bytes, { maxBytes: STATE_MAX_BYTES })
  } catch (cause) {
    const { message, facts } = cause as PlasmError
    throw invalid(file, String(facts.field), message, cause)
  }
}

function invalid(file: string, field: string, problem: string, cause?: unknown): PlasmError {
  return new PlasmError('freshness-state-invalid', `${file}: ${problem}`, {
    facts: { file, field },
    hint: `find out what damaged it; removing ${file} lets this machine take older releases again`,
    cause,
  })
}
