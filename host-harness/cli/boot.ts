import type { Command } from 'commander'
import type { AddCommand } from '../../service/add-command.ts'
import type { Arch } from '../../service/arch.ts'
import type { Rootfs } from '../rootfs.ts'
import type { Discovery, NetworkKind } from '../topology.ts'
import { diskOption } from './disk-option.ts'
import { checkDiscovery, discoveryOption, networkOfOne } from './network-options.ts'
import { ARCH, DEFAULT_MEMORY, memoryOption, rootfsOption } from './options.ts'

const HELP = `
What happens: as in a chain of one. The machine boots from the boot media, discovers an origin
that serves a release of this run, fetches, kexecs and becomes a provider; this terminal is its
console meanwhile, with a root shell once it serves. It stays up until you leave the console with
Ctrl-], and is then stopped. Where standard input is no terminal nothing is typed, and Ctrl-C
stops it.

Examples:
  plasm-harness boot                              look at a machine from its firmware on
  plasm-harness boot --rootfs minimal             with a rootfs that the set brings
  plasm-harness boot --disk 2G                    with a disk, which holds what it boots from
  plasm-harness boot --memory 160                 see what a machine says that is too small
  plasm-harness boot -P "phase.mode=private"      with words of your own on its kernel command line
  plasm-harness exec vm1 -- plasm-agent status    from another terminal, while it is up

Exit codes: 0 it was up and was left, 1 it did not start, 2 wrong usage.`

interface Flags {
  readonly arch: Arch
  readonly memory?: number
  readonly rootfs: Rootfs
  readonly disk?: number
  readonly network: NetworkKind
  readonly discovery: Discovery
  readonly parameters: string
  readonly shell: boolean
}

export const addBoot: AddCommand = (program, done) => {
  program
    .command('boot')
    .description('boot one machine and attach this terminal to its console')
    .option(...ARCH)
    .option(...memoryOption('the machine'))
    .addOption(rootfsOption())
    .option(...diskOption('the machine'))
    .addOption(networkOfOne())
    .addOption(discoveryOption())
    .option('-P, --parameters <words>', 'further words of its kernel command line', '')
    .option('--no-shell', 'without a root shell on its console (phase.shell)')
    .addHelpText('after', HELP)
    .action(async ({ memory, parameters, shell, ...options }: Flags, command: Command) => {
      checkDiscovery(command, options.network, options.discovery)
      const { bootCommand } = await import('../boot-command.ts')
      const words = [...(shell ? ['phase.shell'] : []), ...parameters.split(/\s+/).filter(Boolean)]
      const memoryMiB = memory ?? DEFAULT_MEMORY[options.rootfs]
      done(await bootCommand({ ...options, memoryMiB, parameters: words }))
    })
}
