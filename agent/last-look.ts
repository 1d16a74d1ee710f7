import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import type { CandidateVerdict } from './boot-record.ts'
import { ifThere } from './if-there.ts'
import { PUBLIC_FILE, writeWhole } from './store-files.ts'

/** What became of the last attempt of a fetch stage that goes on trying. */
export interface LastLook {
  /** RFC 3339. */
  readonly at: string
  /** One sentence, with the error's code. */
  readonly failed: string
  readonly candidates: readonly CandidateVerdict[]
}

const lastLookSchema = v.looseObject({
  at: v.string(),
  failed: v.string(),
  candidates: v.array(
    v.looseObject({
      url: v.string(),
      source: v.string(),
      name: v.nullable(v.string()),
      generation: v.nullable(v.number()),
      verdict: v.string(),
    }),
  ),
})

const fileIn = (directory: string) => join(directory, 'last-look.json')

export async function writeLastLook(directory: string, look: LastLook): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeWhole(fileIn(directory), `${JSON.stringify(look)}\n`, PUBLIC_FILE)
}

/** @returns undefined where there is none, or something else */
export async function readLastLook(directory: string): Promise<LastLook | undefined> {
  try {
    const text = await ifThere(readFile(fileIn(directory), 'utf8'))
    const found: unknown = text === undefined ? undefined : JSON.parse(text)
    return v.is(lastLookSchema, found) ? (found as unknown as LastLook) : undefined
  } catch {
    return undefined
  }
}
