import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { StageResult } from '../../agent/stage.ts'
import type { Facts } from '../../service/errors.ts'
import type { StageProgram } from './stage-program.ts'

export interface StageError {
  readonly error: { readonly code: string; readonly facts: Facts; readonly message: string }
}

/**
 * Stages in a process of its own.
 * @param through program and arguments to run it by: strace, unshare, sh with a limit
 */
export async function runStage(
  program: StageProgram,
  through: readonly string[] = [],
): Promise<StageResult | StageError> {
  const script = join(import.meta.dirname, 'stage-program.ts')
  const [command, ...args] = [...through, process.execPath, script, JSON.stringify(program)]
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  try {
    return JSON.parse(out) as StageResult | StageError
  } catch {
    throw new Error(`staging said ${JSON.stringify(out)} and ${err}`)
  }
}

export const codeOf = (answer: StageResult | StageError): string => ('error' in answer ? answer.error.code : 'staged')
