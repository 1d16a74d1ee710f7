import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { type StageRequest, stage } from '../../agent/stage.ts'
import { asPlasmError } from '../../service/errors.ts'

/**
 * `plasm-agent stage` in a process of its own. Argument: a {@link StageProgram} as JSON. Prints one line of JSON: the result, or
 * `{"error":{"code","facts"}}`.
 */
export interface StageProgram {
  readonly request: StageRequest
  /** Takes every file descriptor but so many. */
  readonly spareDescriptors?: number
  /** Says `ready` and begins with the first byte on standard input. */
  readonly waits?: boolean
}

const { request, spareDescriptors, waits } = JSON.parse(process.argv[2]!) as StageProgram
if (waits) {
  process.stdout.write('ready\n')
  await once(process.stdin, 'data')
  process.stdin.destroy()
}
if (spareDescriptors !== undefined) takeDescriptors(spareDescriptors)
try {
  process.stdout.write(`${JSON.stringify(await stage(request))}\n`)
} catch (thrown) {
  const { code, facts, message } = asPlasmError(thrown)
  process.stdout.write(`${JSON.stringify({ error: { code, facts, message } })}\n`)
}

function takeDescriptors(spare: number): void {
  const taken: number[] = []
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'))
  } catch {
    for (const fd of taken.slice(-spare)) if (spare > 0) closeSync(fd)
  }
}
