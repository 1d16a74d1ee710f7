import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const GONE_WITHIN_MS = 5000

/**
 * Remembers the child beyond the agent's own death: an agent that was killed leaves its plasmd behind, holding the port.
 * The start time stands beside the pid, since pids come round again (proc_pid_stat(5), field 22).
 */
export function rememberChild(file: string, pid: number): void {
  try {
    writeFileSync(file, `${pid} ${startTime(pid)}\n`)
  } catch {
    // No /run/plasm: then an orphan shows as a taken port.
  }
}

export function forgetChild(file: string): void {
  rmSync(file, { force: true })
}

/** Kills the plasmd that an agent before this one left behind. @returns its pid, or undefined when there was none */
export async function endOrphan(file: string): Promise<number | undefined> {
  const [pid, started] = read(file)?.trim().split(' ') ?? []
  const number = Number(pid)
  if (!started || !Number.isSafeInteger(number) || startTime(number) !== started) return undefined
  process.kill(number, 'SIGKILL')
  for (let waited = 0; startTime(number) === started && waited < GONE_WITHIN_MS; waited += 50) await sleep(50)
  forgetChild(file)
  return number
}

/** Undefined when there is no such process, or only its zombie. */
function startTime(pid: number): string | undefined {
  // The name in brackets may hold spaces and brackets: count from its end.
  const fields = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')
  return fields?.[0] === 'Z' ? undefined : fields?.[19]
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return undefined
  }
}
