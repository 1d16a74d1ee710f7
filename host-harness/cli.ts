import { Command, CommanderError } from 'commander'
import type { AddCommand } from '../service/add-command.ts'
import { EXIT } from '../service/errors.ts'
import { pointToHelp, readableHelp } from '../service/readable-help.ts'
import { versionLine } from '../service/version.ts'
import { addBoot } from './cli/boot.ts'
import { addChain } from './cli/chain.ts'
import { addConsole } from './cli/console.ts'
import { addExec } from './cli/exec.ts'
import { takenByNpm } from './npm-options.ts'

const EXAMPLES = `
Examples:
  plasm-harness chain                            two machines, each booted from the one before, and
                                                 the proof
  plasm-harness boot                             one machine, with this terminal as its console
  plasm-harness exec vm1 -- plasm-agent status   from another terminal: a command in a machine that
                                                 is up
  plasm-harness console vm1                      joins the console of one; Ctrl-] leaves it

plasm-harness help <command> says more, with examples and exit codes.`

/** In the order of the help. Each loads what it runs only when it runs. */
const COMMANDS: readonly AddCommand[] = [addChain, addBoot, addConsole, addExec]

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok
  const program = readableHelp(new Command('plasm-harness'))
    .description('Boots chains of machines on this host, proves who booted from whom, and lets you look inside.')
    .version(versionLine('plasm-harness'))
    .addHelpText('after', EXAMPLES)
    .exitOverride()
  for (const add of COMMANDS) {
    add(program, (code) => {
      exit = code
    })
  }
  const taken = takenByNpm(program, argv, process.env)
  if (taken !== undefined) process.stderr.write(`${taken}\n`)
  try {
    await pointToHelp(program).parseAsync(argv, { from: 'user' })
    return exit
  } catch (thrown) {
    // commander has printed its message or the help already.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
    throw thrown
  }
}

// Debian keeps ip, nft and dnsmasq where a user's PATH does not look.
process.env.PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
process.exitCode = await main(process.argv.slice(2))
