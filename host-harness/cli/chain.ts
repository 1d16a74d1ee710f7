import { type Command, Option } from 'commander'
import type { AddCommand } from '../../service/add-command.ts'
import { checkOption } from '../../service/cli-argument.ts'
import type { ChainOptions } from '../chain-spec.ts'
import { diskOption } from './disk-option.ts'
import { checkDiscovery, discoveryOption, networkOption } from './network-options.ts'
import { ARCH, DEFAULT_MEMORY, memoryOption, rootfsOption, whole } from './options.ts'

const MAX_GENERATIONS = 20

const HELP = `
What happens: the images are built when they are not up to date; this run publishes a release of
its own (a fresh nonce); an origin serves it in a network of its own; vm1 is started from the boot
media, discovers the origin, fetches, kexecs, and becomes a provider; once it is ready vm2 is
started, and so on. Then everything is stopped.

What is proven, for each machine, from outside: two kernels on one console and no reset between
them (kexec); the nonce that only the published set holds; the rootfs that init switches to; the
network's byte counters for each pair of machines; the set it serves, downloaded and compared; two
boot ids; that the network kept apart what --network and --discovery say. A missing piece fails the
run and is named.

Examples:
  plasm-harness chain                            two machines, each booted from the one before
  plasm-harness chain -g 3 --providers last      only the newest machine is left to boot from
  plasm-harness chain --arch arm64 --json        the result as one JSON object, stdout's last line
  plasm-harness chain -n routed -d dht           each machine on a segment of its own: no multicast
                                                 reaches it
  plasm-harness chain -n isolated-origin         nothing passes between the origin and vm2 or later
  plasm-harness chain --plasmd ./plasmd          the machines serve by that program
                                                 (docs/concept.md)
  plasm-harness chain --rootfs minimal           they switch to a rootfs that the set brings
  plasm-harness chain --disk 2G                  the sets cross kexec on a disk of each machine
  plasm-harness chain --keep                     leaves the machines up to look at (exec, console),
                                                 until Ctrl-C, or kill -INT of the pid it says

Logs stay in build/runs/<run>/: a console log for each machine, reports.jsonl, dnsmasq.log,
origin.log. Needs Linux, and root or an unprivileged user namespace with /dev/net/tun. KVM is used
when a trial boot with it works (kvm-trial.console.log, kvm-trial.qemu.log).

Exit codes: 0 proven, 1 failed, 2 wrong usage, 130 interrupted before there was a result. A signal
that ends kept machines changes nothing: 0 when they were proven, 1 when not.`

type Flags = Omit<ChainOptions, 'memoryMiB'> & { readonly memory?: number; readonly json: boolean }

export const addChain: AddCommand = (program, done) => {
  program
    .command('chain')
    .description('boot a chain of machines, each from one before it, and prove it')
    .option('-g, --generations <n>', `how many machines, 1 to ${MAX_GENERATIONS}`, whole(1, MAX_GENERATIONS), 2)
    .option(...ARCH)
    .option(...memoryOption('each machine'))
    .addOption(rootfsOption())
    .option(...diskOption('each machine'))
    .addOption(
      new Option('-p, --providers <which>', 'who goes on serving: all, or only the last ready machine')
        .choices(['all', 'last'])
        .default('all'),
    )
    .addOption(networkOption())
    .addOption(discoveryOption())
    .option(
      '--unsigned',
      'for tests: publish without a signature, and boot images that take unsigned sets; without --rootfs',
      false,
    )
    .option('--plasmd <file>', 'a static program that speaks as plasmd does: the machines serve by it')
    .option('--json', 'print the result as one JSON object', false)
    .option('--keep', 'leave the machines up after the result, until Ctrl-C', false)
    .addHelpText('after', HELP)
    .action(async ({ memory, json, ...options }: Flags, command: Command) => {
      checkDiscovery(command, options.network, options.discovery)
      // An unsigned set is known by its manifest's bytes, and such a server writes a manifest of its own.
      if (options.plasmd !== undefined && options.unsigned) {
        command.error('error: --plasmd needs a signed set: a foreign plasmd hands no unsigned manifest on')
      }
      if (options.plasmd !== undefined && options.discovery === 'static') {
        command.error('error: --plasmd goes without --discovery static: a foreign plasmd does not say its generation')
      }
      if (options.unsigned && options.rootfs !== 'none') {
        command.error(
          'error: --unsigned goes with --rootfs none: what takes unsigned sets is a part of the initramfs alone',
        )
      }
      const { plasmd, arch } = options
      if (plasmd !== undefined) {
        const { checkPlasmdProgram } = await import('../../service/plasmd-program.ts')
        await checkOption(command, '--plasmd <file>', () => checkPlasmdProgram(plasmd, arch))
      }
      const { chainCommand } = await import('../chain-command.ts')
      done(await chainCommand({ ...options, memoryMiB: memory ?? DEFAULT_MEMORY[options.rootfs] }, json))
    })
}
