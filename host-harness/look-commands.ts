import { basename } from 'node:path'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { attachConsole } from './attach-console.ts'
import { ask, type Control, connectToRun } from './control-client.ts'

/** The command was not run, as ssh says it; any other exit code is the command's own. */
const EXIT_NOT_RUN = 255

/** A machine that boots takes no commands for a while. */
const SILENT_MS = 3000

export const say = (text: string) => void process.stderr.write(`${text}\n`)

/** Runs a command in a machine of a run that is up. @returns its exit code, or 255 */
export async function execCommand(
  machine: string,
  command: readonly string[],
  { run, timeout }: { run?: string | undefined; timeout: number },
): Promise<number> {
  let waiting: NodeJS.Timeout | undefined
  let saidSo = false
  try {
    const control = await connectToRun(run)
    const request = { want: 'exec', machine, command, timeoutMs: timeout * 1000 } as const
    waiting = setTimeout(() => {
      saidSo = true
      say(`waiting for ${machine} of run ${basename(control.runDir)}`)
    }, SILENT_MS)
    const { executed } = await ask(control, request, 'executed', () => {
      clearTimeout(waiting)
      if (saidSo) say(`${machine} runs it`)
    })
    control.socket.destroy()
    process.stdout.write(executed.stdout)
    process.stderr.write(executed.stderr)
    if (isBareShell(command)) say(noShellToTypeInto(machine, command[0]!))
    if (!executed.late) return executed.exit
    sayProblem(executed.late)
    return EXIT_NOT_RUN
  } catch (thrown) {
    sayError(thrown)
    return EXIT_NOT_RUN
  } finally {
    clearTimeout(waiting)
  }
}

/** A shell that is given no script, by somebody who wants to type into it. */
const isBareShell = (command: readonly string[]) =>
  command.length === 1 && ['sh', 'ash', 'bash', 'dash'].includes(basename(command[0]!))

const noShellToTypeInto = (machine: string, shell: string) =>
  `${shell} has no standard input here; give it a script: exec ${machine} -- ${shell} -c 'ps; df -h'\n` +
  '  a shell to type into is on the console of: npm run harness -- boot'

/** Attaches the terminal, or pipe, to a machine's console until Ctrl-], the end of the pipe, or of the machine. @returns the exit code */
export async function consoleCommand(machine: string, { run }: { run?: string | undefined }): Promise<number> {
  try {
    const control = await connectToRun(run)
    await openConsole(control, machine)
    const leaving = process.stdin.isTTY ? 'Ctrl-] leaves it' : 'Ctrl-C leaves it, and so does the end of standard input'
    say(`${machine} of run ${basename(control.runDir)}; ${leaving}`)
    const end = await attachConsole(control.socket, process, { typesPipe: true })
    if (end === 'ended') say(`${machine} is gone`)
    if (end === 'input-ended')
      say(`standard input has ended, and ${machine} stays up; to follow it, leave it a terminal`)
    return EXIT.ok
  } catch (thrown) {
    sayError(thrown)
    return EXIT.failed
  }
}

/** Makes the connection a machine's console. @throws PlasmError as {@link ask} */
export async function openConsole(control: Control, machine: string): Promise<void> {
  await ask(control, { want: 'console', machine }, 'attached')
}

export const sayError = (thrown: unknown): void => sayProblem(asPlasmError(thrown))

export function sayProblem({
  code,
  message,
  hint,
}: {
  code: string
  message: string
  hint?: string | null | undefined
}) {
  say(`plasm-harness: ${message} [${code}]${hint ? `\n  ${hint}` : ''}`)
}
