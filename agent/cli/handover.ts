import type { AddCommand } from '../../service/add-command.ts'
import { EXIT } from '../../service/errors.ts'
import { answering } from './answering.ts'

const HELP = `
For an init that downloads and kexecs by itself. DIR holds manifest.dsse.json or manifest.json,
and the artifacts; signatures and every digest are checked. The initrd written carries the whole
set, so that the booted machine can serve it on. Standard output has one line: what to append to
the next kernel's command line.

  append=$(plasm-agent handover /tmp/phase-boot --initrd /run/initrd --kernel /run/kernel) &&
    kexec -c -l /run/kernel --initrd=/run/initrd \\
      --command-line="$(cat /proc/cmdline) $append" && kexec -e

Exit codes: 0 written, 2 wrong usage, 65 the set is incomplete, damaged or not trusted, 78 the
configuration or the trust policy is wrong, 1 anything else (no room left, for one). On failure
nothing is left behind.`

interface Options {
  readonly initrd: string
  readonly kernel?: string
  readonly provider?: string
  readonly json: boolean
}

export const addHandover: AddCommand = (program, done) => {
  program
    .command('handover')
    .description('build an initrd that carries a downloaded boot set across kexec')
    .argument('<dir>', 'directory with manifest.json and the artifacts')
    .requiredOption('--initrd <file>', 'the initrd to write')
    .option('--kernel <file>', 'also write the verified kernel there')
    .option('--provider <url>', 'where the set was fetched from, for the boot record')
    .option('--json', 'print one JSON object instead', false)
    .addHelpText('after', HELP)
    .action(async (directory: string, options: Options) => {
      done(await answering(options.json, () => run(directory, options)))
    })
}

async function run(directory: string, { json, ...options }: Options): Promise<number> {
  const { handover } = await import('../handover-command.ts')
  const result = await handover({ directory, ...options })
  console.error(`plasm-agent: ${result.manifestDigest} is whole; wrote ${result.initrd} (${result.initrdBytes} bytes)`)
  console.log(json ? JSON.stringify(result) : result.append)
  return EXIT.ok
}
