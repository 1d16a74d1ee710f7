import { Command, CommanderError, Option } from 'commander'
import { hostArch, parseArch } from '../service/arch.ts'
import { asArgument } from '../service/cli-argument.ts'
import { EXIT } from '../service/errors.ts'
import { versionLine } from '../service/version.ts'
import type { ChainOptions } from './chain-spec.ts'

const MAX_GENERATIONS = 20
const MIN_MEMORY_MIB = 128
const MAX_MEMORY_MIB = 65_536

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
  plasm-harness chain --keep                              leaves the machines up to look at, until Ctrl-C

Logs stay in build/runs/<run>/: a console log for each machine, reports.jsonl, dnsmasq.log, origin.log.
Needs Linux, and root or an unprivileged user namespace with /dev/net/tun. KVM is used when a trial boot with it works.

Exit codes: 0 proven, 1 failed, 2 wrong usage, 130 interrupted.`

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok
  const program = new Command('plasm-harness')
    .description('Boots chains of machines on this host, and proves who booted from whom.')
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
    .option('--json', 'print the result as one JSON object', false)
    .option('--keep', 'leave the machines up after the result, until Ctrl-C', false)
    .addHelpText('after', CHAIN_HELP)
    .action(async ({ memory, json, ...options }: ChainOptions & { memory: number; json: boolean }) => {
      const { chainCommand } = await import('./chain-command.ts')
      exit = await chainCommand({ ...options, memoryMiB: memory }, json)
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
