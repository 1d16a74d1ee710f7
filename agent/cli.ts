import { Argument, Command, CommanderError } from 'commander'
import { asArgument } from '../service/cli-argument.ts'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { versionLine } from '../service/version.ts'
import type { LogName } from './logs.ts'

const OVERVIEW = `
A machine that booted from the network boots the next one: the agent fetches and verifies a boot set, carries it across
kexec, and then serves exactly what it was booted from.

  host: plasmd ──▶ this machine: boot ──kexec──▶ serve ──▶ the next machine: boot ──▶ …

What it is told comes from the kernel command line (phase.mode, phase.channel, phase.provider, plasm.report, …), then from
/etc/plasm/agent.toml. What it trusts comes from /etc/plasm/trust/policy.toml in the image alone.

Look first at:  plasm-agent status
Something wrong?  plasm-agent doctor`

const BOOT_HELP = `
Steps: config, discover, manifests, verify, rank, preflight, fetch, receipt, handover, kexec-load, kexec-exec. It ends in
kexec and does not return. When no provider works it says why, waits, and tries again for ever.

Exit codes: 65 providers were found, and this image's trust policy refuses all that they have; 78 the configuration or the
trust policy is wrong. Init waits and starts it again.`

const HANDOVER_HELP = `
For an init that downloads and kexecs by itself. DIR holds manifest.dsse.json or manifest.json, and the artifacts; signatures and every digest are checked. The initrd written
carries the whole set, so that the booted machine can serve it on. Standard output has one line: what to append to the next
kernel's command line.

  append=$(plasm-agent handover /tmp/phase-boot --initrd /run/initrd --kernel /run/kernel) &&
    kexec -c -l /run/kernel --initrd=/run/initrd --command-line="$(cat /proc/cmdline) $append" && kexec -e

Exit codes: 0 written, 2 wrong usage, 65 the set is incomplete, damaged or not trusted, 78 the configuration or the trust
policy is wrong, 1 anything else (no room left, for one). On failure nothing is left behind.`

const STAGE_HELP = `
DIR holds manifest.dsse.json or manifest.json, and the artifacts, under their file names or their role names. The manifest must be one that this
machine trusts, for its channel and architecture. Everything is copied while it is hashed, written to the disk, and only then
served: whatever happens on the way, a power cut too, the store serves the old set or the new one, whole. A set that is served
already is read and compared; nothing is written when it is right.

  plasm-agent stage /media/usb/stable/x86_64

While \`plasm-agent serve\` runs on the same store, put the set into an inbox instead (/tmp/boot).

Exit codes: 0 the store serves the set, 2 wrong usage, 65 the set is incomplete, damaged, older than the one that is served or
not trusted, 78 the configuration or the trust policy is wrong, 1 anything else (no room left, another agent, a failing disk).`

const VERIFY_HELP = `
Reads every byte and compares it with the manifest, which must be one that this machine trusts. It stops at nothing: every
artifact gets a line, and for one that differs the chunk (4 MiB in sets made here) where it begins to.

  plasm-agent verify /var/lib/plasm/boot-artifacts/stable/x86_64
  plasm-agent verify http://192.168.1.10:8080

Exit codes: 0 every artifact is what the manifest says, 2 wrong usage, 65 something differs, is missing or is not trusted, 69 the
provider does not answer, 78 the configuration or the trust policy is wrong, 1 anything else.`

const DOCTOR_HELP = `
Looks at configuration, trust policy, clock, network, memory, kexec, store and port, changes nothing, and says what to do about
each that is wrong.

Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.`

const LOGS_HELP = `
Prints the last lines of what agent or plasmd have logged in the serve stage (/run/plasm/agent.log, /run/plasm/plasmd.log).

Exit codes: 0 printed, 1 there is no such log, 2 wrong usage.`

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
    .command('doctor')
    .description('look at what booting and serving rest on, and say what to do about what is wrong')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', DOCTOR_HELP)
    .action(async ({ json }: { json: boolean }) => {
      const { doctor } = await import('./doctor.ts')
      exit = await doctor(json)
    })
  program
    .command('logs')
    .description('print what the agent or plasmd have logged')
    .addArgument(new Argument('[whose]', 'whose log').choices(['agent', 'plasmd']).default('agent'))
    .option('-n, --lines <n>', 'how many of the last lines', asArgument(parseLines), 100)
    .option('-f, --follow', 'go on printing what is added, until Ctrl-C', false)
    .addHelpText('after', LOGS_HELP)
    .action(async (name: LogName, { lines, follow }: { lines: number; follow: boolean }) => {
      exit = await answering(false, () => runLogs(name, lines, follow))
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
  program
    .command('stage')
    .description('verify a boot set in a directory and put it into the store')
    .argument('<dir>', 'directory with manifest.json and the artifacts')
    .option('--store <dir>', 'the store to put it into, instead of the configured one')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', STAGE_HELP)
    .action(async (directory: string, { json, ...options }: { store?: string; json: boolean }) => {
      exit = await answering(json, async () => {
        const { stage } = await import('./stage.ts')
        const result = await stage({ directory, ...options })
        const what = result.already ? 'is served already, and whole' : 'is whole and will be served'
        console.log(json ? JSON.stringify(result) : `${result.manifestDigest} ${what}: ${result.directory}`)
        return EXIT.ok
      })
    })
  program
    .command('verify')
    .description('read a boot set and name what is not what its manifest says')
    .argument('<dir|url>', "directory with manifest.json and the artifacts, or a provider's URL")
    .option('--policy <file>', 'trust policy, with keys/*.pub beside it; by default /etc/plasm/trust/policy.toml')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', VERIFY_HELP)
    .action(async (what: string, { json, policy }: { json: boolean; policy?: string }) => {
      exit = await answering(json, async () => {
        const { describeFindings, verifySet } = await import('./verify-command.ts')
        const result = await verifySet({ what, ...(policy === undefined ? {} : { trustFile: policy }) })
        console.log(json ? JSON.stringify(result) : describeFindings(result).join('\n'))
        return result.whole ? EXIT.ok : EXIT.badData
      })
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

function parseLines(text: string): number {
  const lines = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(lines)) throw new Error('is not a whole number')
  return lines
}

async function runLogs(name: LogName, lines: number, follow: boolean): Promise<number> {
  const { logs } = await import('./logs.ts')
  const stop = new AbortController()
  if (follow) process.once('SIGINT', () => stop.abort())
  const print = (text: string) => process.stdout.write(text)
  await logs({ name, lines, print, ...(follow ? { follow: stop.signal } : {}) })
  return EXIT.ok
}

interface HandoverOptions {
  readonly initrd: string
  readonly kernel?: string
  readonly provider?: string
  readonly json: boolean
}

function runHandover(directory: string, { json, ...options }: HandoverOptions): Promise<number> {
  return answering(json, async () => {
    const { handover } = await import('./handover-command.ts')
    const result = await handover({ directory, ...options })
    console.error(
      `plasm-agent: ${result.manifestDigest} is whole; wrote ${result.initrd} (${result.initrdBytes} bytes)`,
    )
    console.log(json ? JSON.stringify(result) : result.append)
    return EXIT.ok
  })
}

/** Runs a command; its error goes to standard error, and with --json as `{"error":…}` to standard output too. */
async function answering(json: boolean, command: () => Promise<number>): Promise<number> {
  try {
    return await command()
  } catch (thrown) {
    const { code, message, hint, facts } = asPlasmError(thrown)
    console.error(`plasm-agent: ${message} [${code}]${hint ? `; ${hint}` : ''}`)
    if (json) console.log(JSON.stringify({ error: { code, message, facts, hint } }))
    return EXIT_BY_CODE[code] ?? EXIT.badData
  }
}

/** What is no fault of the set that was named. */
const EXIT_BY_CODE: Readonly<Record<string, number>> = {
  'config-invalid': EXIT.badConfig,
  'trust-missing': EXIT.badConfig,
  'trust-policy-invalid': EXIT.badConfig,
  'freshness-state-invalid': EXIT.failed,
  'transfer-broken': EXIT.unavailable,
  'already-running': EXIT.failed,
  'log-missing': EXIT.failed,
  'scratch-full': EXIT.failed,
  'scratch-unsafe': EXIT.failed,
  'store-full': EXIT.failed,
  'store-read-only': EXIT.failed,
  'store-unsafe': EXIT.failed,
  'storage-failed': EXIT.failed,
  'too-many-files': EXIT.failed,
  unexpected: EXIT.failed,
}
