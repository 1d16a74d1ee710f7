import type { AddCommand } from '../../service/add-command.ts'
import { RUN } from './options.ts'

const HELP = `
The machine must be of a run that is up: plasm-harness boot, or chain (with --keep after its end,
too). You see what it said last and then all that it says; what you type goes to it, Ctrl-C too.
Ctrl-] leaves it, and the machine stays up.

A machine of \`boot\` has a root shell there once it serves (phase.shell on its kernel command
line). A machine of a chain has none: you see what firmware, kernel, init and agent say, which is
little once it serves, and nobody reads what you type. There \`exec\` is the shell, one script at a
time: plasm-harness exec vm1 -- sh -c 'ps; df -h'.

In a pipe the console's lines are printed plainly. A standard input that is no terminal is
typed, and at its end this ends, once the machine is silent for a second (10 s at most).

Examples:
  plasm-harness console vm1
  plasm-harness console vm2 --run 3f2a            of the run whose id (in build/runs) begins so
  plasm-harness console vm1 | grep plasm          follows it, until Ctrl-]
  plasm-harness console vm1 </dev/null            what it said last, and no more
  echo dmesg | plasm-harness console vm1          types a line, and prints what comes of it

Exit codes: 0 left, or the machine or the input has ended; 1 no such run or machine; 2 wrong usage.`

export const addConsole: AddCommand = (program, done) => {
  program
    .command('console')
    .description("attach this terminal to a machine's console")
    .argument('<machine>', 'such as vm1')
    .option(...RUN)
    .addHelpText('after', HELP)
    .action(async (machine: string, options: { run?: string }) => {
      const { consoleCommand } = await import('../look-commands.ts')
      done(await consoleCommand(machine, options))
    })
}
