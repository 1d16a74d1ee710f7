import { Command, CommanderError } from 'commander'
import type { AddCommand } from '../service/add-command.ts'
import { EXIT } from '../service/errors.ts'
import { pointToHelp, readableHelp } from '../service/readable-help.ts'
import { versionLine } from '../service/version.ts'
import { addBoot } from './cli/boot.ts'
import { addComplete } from './cli/complete.ts'
import { addDiscover } from './cli/discover.ts'
import { addDoctor } from './cli/doctor.ts'
import { addHandover } from './cli/handover.ts'
import { addLogs } from './cli/logs.ts'
import { addServe } from './cli/serve.ts'
import { addStage } from './cli/stage.ts'
import { addStatus } from './cli/status.ts'
import { answerUnknownCommand } from './cli/unknown-command.ts'
import { addUpdate } from './cli/update.ts'
import { addVerify } from './cli/verify.ts'
import { addWhy } from './cli/why.ts'

const OVERVIEW = `
A machine that booted from the network boots the next one: the agent fetches and verifies a boot
set, carries it across kexec, and then serves exactly what it was booted from.

  host: plasmd ──▶ this machine: boot ──kexec──▶ serve ──▶ the next machine: boot ──▶ …

What it is told comes from the kernel command line (phase.mode, phase.channel, phase.provider,
plasm.report, …), then from /etc/plasm/agent.toml. What it trusts comes from
/etc/plasm/trust/policy.toml in the image alone.

Look first at:  plasm-agent status
Something wrong?  plasm-agent doctor`

/** In the order of the help. Each loads what it runs only when it runs: in an emulated guest every module costs. */
const COMMANDS: readonly AddCommand[] = [
  addBoot,
  addServe,
  addStatus,
  addUpdate,
  addDiscover,
  addWhy,
  addDoctor,
  addLogs,
  addHandover,
  addStage,
  addVerify,
  addComplete,
]

/** @returns the exit code */
export async function plasmAgent(argv: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok
  const program = readableHelp(new Command('plasm-agent'))
    .description('Boots this machine from the network, and makes it a provider for the next.')
    .version(versionLine('plasm-agent'))
    .addHelpText('after', OVERVIEW)
    .exitOverride()
  for (const add of COMMANDS) {
    add(program, (code) => {
      exit = code
    })
  }
  answerUnknownCommand(program)
  try {
    await pointToHelp(program).parseAsync(argv, { from: 'user' })
    return exit
  } catch (thrown) {
    // commander has printed its message or the help already.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
    throw thrown
  }
}
