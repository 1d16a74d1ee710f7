import { link, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { PRIVATE_FILE, readRegular } from './store-files.ts'

/** What a person asks of the running agent: to look what is newer, or to fetch it and serve it, too. */
export type UpdateAction = 'check' | 'apply'

export interface UpdateRequest {
  /** The answer has it, too. */
  readonly id: string
  readonly action: UpdateAction
}

const REQUEST_MAX_BYTES = 4096

const requestSchema = v.strictObject({
  version: v.literal(1),
  id: v.pipe(v.string(), v.uuid()),
  action: v.picklist(['check', 'apply']),
})

/**
 * In a directory that only root writes to. There is one agent per store, and it alone fetches: so it is asked by a file, which
 * outlives whoever asked, and answers in its status.
 */
const requestFile = (runDirectory: string) => join(runDirectory, 'update-request.json')

/**
 * Leaves a request for the running agent, whole or not at all.
 * @returns false where an earlier one has not been taken yet
 */
export async function leaveRequest(runDirectory: string, request: UpdateRequest): Promise<boolean> {
  const file = requestFile(runDirectory)
  const temporary = `${file}.${request.id}`
  try {
    await writeFile(temporary, JSON.stringify({ version: 1, ...request }), { mode: PRIVATE_FILE, flag: 'wx' })
    // Unlike rename(2), link(2) replaces nobody else's.
    await link(temporary, file)
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw thrown
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Takes the request that was left, if any; what is none is thrown away. */
export async function takeRequest(runDirectory: string): Promise<UpdateRequest | undefined> {
  const file = requestFile(runDirectory)
  const bytes = await readRegular(file, REQUEST_MAX_BYTES).catch(() => Buffer.alloc(0))
  if (!bytes) return undefined
  await rm(file, { recursive: true, force: true })
  try {
    const { id, action } = v.parse(requestSchema, JSON.parse(bytes.toString('utf8')))
    return { id, action }
  } catch {
    return undefined
  }
}
