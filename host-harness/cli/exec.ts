import type { AddCommand } from '../../service/add-command.ts'
import { RUN, whole } from './options.ts'

const MAX_TIMEOUT_S = 86_400

const HELP = `
Runs a command as root in a machine of a run that is up, in the fetch stage or the serve stage,
without network and without the console: through a virtio-serial port. It waits until the machine
takes commands. Its standard output, and then its standard error, come out here when it has ended
(2>&1 within sh -c keeps their order). It has no standard input, so a shell takes its script by
sh -c; one to type into is on the console of \`boot\`. One command at a time. One that follows (-f)
is ended by --timeout, and shows then what it has said until then.

Examples:
  plasm-harness exec vm1 -- plasm-agent status
  plasm-harness exec vm1 -- plasm-agent logs plasmd -n 20
  plasm-harness exec vm2 -- sh -c 'ps; df -h; dmesg | tail'
  plasm-harness exec vm1 --timeout 5 -- plasm-agent logs -f

Exit code: the command's own; 255 when it could not be run or did not end in time; 2 also for
wrong usage of exec itself.`

/** What commander says of a command that it took for options of `exec`, or missed. */
const HAS_LOST_WORDS = /unknown option|missing required argument/
const BEHIND_DASHES = 'put -- before the command: plasm-harness exec vm1 -- ls -l'

export const addExec: AddCommand = (program, done) => {
  program
    .command('exec')
    .description('run a command in a machine')
    .argument('<machine>', 'such as vm1')
    .argument('<command...>', 'the program and its arguments, after --')
    .option(...RUN)
    .option('-t, --timeout <seconds>', 'how long to wait for its end', whole(1, MAX_TIMEOUT_S), 60)
    .addHelpText('after', HELP)
    .configureOutput({
      outputError: (text, write) => write(HAS_LOST_WORDS.test(text) ? `${text}  ${BEHIND_DASHES}\n` : text),
    })
    .action(async (machine: string, command: string[], options: { run?: string; timeout: number }) => {
      const { execCommand } = await import('../look-commands.ts')
      done(await execCommand(machine, command, options))
    })
}
