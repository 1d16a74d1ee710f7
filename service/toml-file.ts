import { readFile } from 'node:fs/promises'
import { parse } from 'smol-toml'
import * as v from 'valibot'
import { PlasmError } from './errors.ts'

/**
 * Reads a TOML file whose every key is known: a misspelt key must not become a default.
 * @returns undefined when there is no such file
 * @throws PlasmError `config-invalid` (facts: `file`, and `field` where one is to blame)
 */
export async function readToml<Schema extends v.GenericSchema>(
  file: string,
  schema: Schema,
): Promise<v.InferOutput<Schema> | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    const problem = error.code === 'EISDIR' ? 'is a directory; name the file in it' : error.message
    throw invalid(file, problem, { cause: error })
  })
  if (text === undefined) return undefined
  const parsed = v.safeParse(schema, parseToml(file, text))
  if (parsed.success) return parsed.output
  const issue = parsed.issues[0]
  const field = v.getDotPath(issue) ?? '(document)'
  throw invalid(file, `field ${field}: ${problemOf(issue, schema)}`, { field })
}

/** valibot's own words for a key that is not known say "expected never". */
function problemOf(issue: v.BaseIssue<unknown>, schema: v.GenericSchema): string {
  if (issue.type !== 'strict_object' || issue.expected !== 'never') return issue.message
  const known = 'entries' in schema ? Object.keys(schema.entries as object) : []
  return `there is no such key${known.length === 0 ? '' : `; there are ${known.join(', ')}`}`
}

function parseToml(file: string, text: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw invalid(file, (cause as Error).message, { cause })
  }
}

function invalid(file: string, problem: string, about: { field?: string; cause?: unknown }): PlasmError {
  return new PlasmError('config-invalid', `${file}: ${problem}`, {
    facts: { file, ...(about.field === undefined ? {} : { field: about.field }) },
    hint: `correct ${file}; it is read at every start`,
    cause: about.cause,
  })
}
