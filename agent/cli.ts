import { Command, CommanderError } from 'commander'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { versionLine } from '../service/version.ts'

const OVERVIEW = `
A machine that booted from the network boots the next one: the agent fetches and verifies a boot set, carries it across
kexec, and then serves exactly what it was booted from.

  host: plasmd ──▶ this machine: boot ──kexec──▶ serve ──▶ the next machine: boot ──▶ …

What it is told comes from the kernel command line (phase.mode, phase.channel, phase.provider, plasm.report, …), then from
/etc/plasm/agent.toml. What it trusts comes from /etc/plasm/trust/policy.toml in the image alone.

Look first at:  plasm-agent status`

const BOOT_HELP = `
Steps: config, discover, manifests, verify, rank, preflight, fetch, receipt, handover, kexec-load, kexec-exec. It ends in
kexec and does not return. When no provider works it says why, waits, and tries again for ever.

Exit codes: 65 providers were found, and this image's trust policy refuses all that they have; 78 the configuration or the
trust policy is wrong. Init waits and starts it again.`

const HANDOVER_HELP = `
For an init that downloads and kexecs by itself. DIR holds manifest.dsse.json or manifest.json,
and the artifacts; signatures and every digest are checked. The
initrd written carries the whole set, so that the booted machine can serve it on. Standard output has one line: what to
append to the next kernel's command line.

  append=$(plasm-agent handover /tmp/phase-boot --initrd /run/initrd --kernel /run/kernel) &&
    kexec -c -l /run/kernel --initrd=/run/initrd --command-line="$(cat /proc/cmdline) $append" && kexec -e

Exit codes: 0 written, 2 wrong usage, 65 the set is incomplete, damaged or not trusted, 78 the configuration or the trust
policy is wrong, 1 anything else (no room left, for one). On failure nothing is left behind.`

const STATUS_HELP = `
Exit codes: 0 ready, 1 not ready, 3 not running, 4 unknown (LSB).`

/** @returns the exit code */
export async function plasmAgent(argv: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok
  const program = new Command('plasm-agent')
    .description('Boots this machine from the network, and makes it a provider for the next.')
    .version(versionLine('plasm-agent'), '--version')
    .addHelpText('after', OVERVIEW)
    .exitOverride()
  program
    .command('boot')
    .description('fetch stage: find a provider, fetch and verify a boot set, kexec into it')
    .addHelpText('after', BOOT_HELP)
    .action(async () => {
      exit = await (await import('./boot-stage.ts')).bootStage()
    })
  program
    .command('serve')
    .description('serve stage: serve what this machine was booted from')
    .action(async () => {
      exit = await (await import('./serve-stage.ts')).serveStage()
    })
  program
    .command('status')
    .description('say whether this machine is ready, where it comes from and what it serves')
    .option('--json', 'print the status document', false)
    .option('--watch', 'go on printing as it changes', false)
    .addHelpText('after', STATUS_HELP)
    .action(async (options: { json: boolean; watch: boolean }) => {
      const { status } = await import('./status.ts')
      exit = await status(options)
    })
  program
    .command('handover')
    .description('build an initrd that carries a downloaded boot set across kexec')
    .argument('<dir>', 'directory with manifest.json and the artifacts')
    .requiredOption('--initrd <file>', 'the initrd to write')
    .option('--kernel <file>', 'also write the verified kernel there')
    .option('--provider <url>', 'where the set was fetched from, for the boot record')
    .option('--json', 'print one JSON object instead', false)
    .addHelpText('after', HANDOVER_HELP)
    .action(async (directory: string, options: HandoverOptions) => {
      exit = await runHandover(directory, options)
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

interface HandoverOptions {
  readonly initrd: string
  readonly kernel?: string
  readonly provider?: string
  readonly json: boolean
}

async function runHandover(directory: string, { json, ...options }: HandoverOptions): Promise<number> {
  const { handover } = await import('./handover-command.ts')
  try {
    const result = await handover({ directory, ...options })
    console.error(
      `plasm-agent: ${result.manifestDigest} is whole; wrote ${result.initrd} (${result.initrdBytes} bytes)`,
    )
    console.log(json ? JSON.stringify(result) : result.append)
    return EXIT.ok
  } catch (thrown) {
    const { code, message, hint, facts } = asPlasmError(thrown)
    console.error(`plasm-agent: ${message} [${code}]${hint ? `; ${hint}` : ''}`)
    if (json) console.log(JSON.stringify({ error: { code, message, facts, hint } }))
    return exitCodeOf(code)
  }
}

const BAD_CONFIG = new Set(['config-invalid', 'trust-missing', 'trust-policy-invalid'])

function exitCodeOf(code: string): number {
  if (BAD_CONFIG.has(code)) return EXIT.badConfig
  return code === 'scratch-full' || code === 'unexpected' ? EXIT.failed : EXIT.badData
}
