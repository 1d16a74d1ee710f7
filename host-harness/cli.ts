import { Command, CommanderError, Option } from 'commander'
import { type Arch, hostArch, parseArch } from '../service/arch.ts'
import { asArgument } from '../service/cli-argument.ts'
import { EXIT } from '../service/errors.ts'
import { versionLine } from '../service/version.ts'
import type { ChainOptions } from './chain-spec.ts'

const MAX_GENERATIONS = 20
const MIN_MEMORY_MIB = 128
const MAX_MEMORY_MIB = 65_536
const MAX_TIMEOUT_S = 86_400
const RUN_OPTION =
  'which run, by its id or the beginning of it, or by the path of its directory (default: the newest that is up)'

const CHAIN_HELP = `
What happens: the images are built when they are not up to date; this run publishes a release of its own (a fresh nonce);
an origin serves it in a network of its own; vm1 is started from the boot media, discovers the origin, fetches, kexecs, and
becomes a provider; once it is ready vm2 is started, and so on. Then everything is stopped.

What is proven, for each machine, from outside: two kernels on one console and no reset between them (kexec); the nonce that
only the published set holds; the bridge's byte counters for each pair of machines; the set it serves, downloaded and
compared; two boot ids. A missing piece fails the run and is named.

Examples:
  plasm-harness chain                                     two machines, each booted from the one before
  plasm-harness chain --generations 3 --providers last    only the newest machine is left to boot from
  plasm-harness chain --arch arm64 --json                 the result as one JSON object, the last line of stdout
  plasm-harness chain --plasmd ./plasmd                   the machines serve by that program (docs/concept.md)
  plasm-harness chain --keep                              leaves the machines up to look at (exec, console), until Ctrl-C

Logs stay in build/runs/<run>/: a console log for each machine, reports.jsonl, dnsmasq.log, origin.log.
Needs Linux, and root or an unprivileged user namespace with /dev/net/tun. KVM is used when a trial boot with it works.

Exit codes: 0 proven, 1 failed, 2 wrong usage, 130 interrupted.`

const BOOT_HELP = `
What happens: as in a chain of one. The machine boots from the boot media, discovers an origin that serves a release of this
run, fetches, kexecs and becomes a provider; this terminal is its console meanwhile, with a root shell once it serves. It
stays up until you leave the console with Ctrl-], and is then stopped. Where standard input is no terminal nothing is typed,
and Ctrl-C stops it.

Examples:
  plasm-harness boot                                      look at a machine from its firmware on
  plasm-harness boot --memory 160                         see what a machine says that is too small
  plasm-harness boot --parameters "phase.mode=private"    with words of your own on the kernel command line
  plasm-harness exec vm1 -- plasm-agent status            from another terminal, while it is up

Exit codes: 0 it was up and was left, 1 it did not start, 2 wrong usage.`

const CONSOLE_HELP = `
The machine must be of a run that is up: plasm-harness boot, or chain (with --keep after its end, too). You see what it said
last and then all that it says; what you type goes to it, Ctrl-C too. Ctrl-] leaves it, and the machine stays up. A machine of
a chain has a shell on its console only when its kernel command line has phase.shell (\`boot\` puts it there); for all others
there is \`exec\`. In a pipe the console's lines are printed plainly.

Examples:
  plasm-harness console vm1
  plasm-harness console vm2 --run 3f2a            of the run whose directory in build/runs begins with 3f2a
  plasm-harness console vm1 </dev/null | grep plasm

Exit codes: 0 left, or the machine is gone; 1 no such run or machine; 2 wrong usage.`

const EXEC_HELP = `
Runs a command as root in a machine of a run that is up, in the fetch stage or the serve stage, without network and without
the console: through a virtio-serial port. It waits until the machine takes commands. Its standard output and error come out
here when it has ended; it has no standard input. One command at a time.

Examples:
  plasm-harness exec vm1 -- plasm-agent status
  plasm-harness exec vm1 -- plasm-agent logs plasmd -n 20
  plasm-harness exec vm2 -- sh -c 'ps; df -h; dmesg | tail'
  plasm-harness exec vm1 --timeout 5 -- cat /proc/cmdline

Exit code: the command's own; 255 when it could not be run or did not end in time.`

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok
  const program = new Command('plasm-harness')
    .description('Boots chains of machines on this host, proves who booted from whom, and lets you look inside.')
    .version(versionLine('plasm-harness'))
    .exitOverride()
  program
    .command('chain')
    .description('boot a chain of machines, each from one before it, and prove it')
    .option('-g, --generations <n>', `how many machines, 1 to ${MAX_GENERATIONS}`, whole(1, MAX_GENERATIONS), 2)
    .option('-A, --arch <arch>', 'x86_64 or arm64', asArgument(parseArch), hostArch())
    .option('-m, --memory <MiB>', 'memory of each machine', whole(MIN_MEMORY_MIB, MAX_MEMORY_MIB), 512)
    .addOption(
      new Option('-p, --providers <which>', 'who goes on serving: all, or only the last ready machine')
        .choices(['all', 'last'])
        .default('all'),
    )
    .option('--unsigned', 'for tests: publish without a signature, and boot images that take unsigned sets', false)
    .option('--plasmd <file>', 'a static program that speaks as plasmd does: the machines serve by it')
    .option('--json', 'print the result as one JSON object', false)
    .option('--keep', 'leave the machines up after the result, until Ctrl-C', false)
    .addHelpText('after', CHAIN_HELP)
    .action(
      async ({ memory, json, ...options }: ChainOptions & { memory: number; json: boolean }, command: Command) => {
        // An unsigned set is known by its manifest's bytes, and such a server writes a manifest of its own.
        if (options.plasmd !== undefined && options.unsigned) {
          command.error('error: --plasmd needs a signed set: a foreign plasmd hands no unsigned manifest on')
        }
        const { chainCommand } = await import('./chain-command.ts')
        exit = await chainCommand({ ...options, memoryMiB: memory }, json)
      },
    )
  program
    .command('boot')
    .description('boot one machine and attach this terminal to its console')
    .option('-A, --arch <arch>', 'x86_64 or arm64', asArgument(parseArch), hostArch())
    .option('-m, --memory <MiB>', 'its memory', whole(MIN_MEMORY_MIB, MAX_MEMORY_MIB), 512)
    .option('-P, --parameters <words>', 'further words of its kernel command line', '')
    .option('--no-shell', 'without a root shell on its console (phase.shell)')
    .addHelpText('after', BOOT_HELP)
    .action(async ({ arch, memory, parameters, shell }: BootFlags) => {
      const { bootCommand } = await import('./boot-command.ts')
      const words = [...(shell ? ['phase.shell'] : []), ...parameters.split(/\s+/).filter(Boolean)]
      exit = await bootCommand({ arch, memoryMiB: memory, parameters: words })
    })
  program
    .command('console')
    .description("attach this terminal to a machine's console")
    .argument('<machine>', 'such as vm1')
    .option('-r, --run <id>', RUN_OPTION)
    .addHelpText('after', CONSOLE_HELP)
    .action(async (machine: string, options: { run?: string }) => {
      const { consoleCommand } = await import('./look-commands.ts')
      exit = await consoleCommand(machine, options)
    })
  program
    .command('exec')
    .description('run a command in a machine')
    .argument('<machine>', 'such as vm1')
    .argument('<command...>', 'the program and its arguments, after --')
    .option('-r, --run <id>', RUN_OPTION)
    .option('-t, --timeout <seconds>', 'how long to wait for its end', whole(1, MAX_TIMEOUT_S), 60)
    .addHelpText('after', EXEC_HELP)
    .action(async (machine: string, command: string[], options: { run?: string; timeout: number }) => {
      const { execCommand } = await import('./look-commands.ts')
      exit = await execCommand(machine, command, options)
    })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exit
  } catch (thrown) {
    // commander has printed its message or the help already.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
    throw thrown
  }
}

interface BootFlags {
  readonly arch: Arch
  readonly memory: number
  readonly parameters: string
  readonly shell: boolean
}

function whole(least: number, most: number): (text: string) => number {
  return asArgument((text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    throw new Error(`it is a whole number from ${least} to ${most}.`)
  })
}

// Debian keeps ip, nft and dnsmasq where a user's PATH does not look.
process.env.PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
process.exitCode = await main(process.argv.slice(2))
