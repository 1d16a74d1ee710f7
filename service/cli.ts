import { Command, CommanderError } from 'commander'
import { hostArch, parseArch } from './arch.ts'
import { asArgument } from './cli-argument.ts'
import { HELP } from './cli-help.ts'
import { bootstrapPeers, DHT_PORT } from './dht/bootstrap-peer.ts'
import { asPlasmError, EXIT } from './errors.ts'
import { CHANNEL } from './manifest.ts'
import { pointToHelp, readableHelp } from './readable-help.ts'
import { versionLine } from './version.ts'

const EXAMPLES = `
Examples:
  plasmd serve --artifacts site
      serves site/<channel>/<arch>/ on port 8080, and says so by mDNS and in the DHT (port 4001)
  plasmd manifest generate site/stable/x86_64
      writes site/stable/x86_64/manifest.json for the kernel and initramfs that lie there
  plasmd keygen release --out ~/keys
      makes release.key, which signs, and release.pub, which images trust
  plasmd manifest sign site/stable/x86_64 --key ~/keys/release.key
      writes site/stable/x86_64/manifest.dsse.json, or adds a signature to it
  plasmd manifest verify http://192.168.1.10:8080/stable/x86_64 --policy trust/policy.toml
      says which keys signed, which did not count and why
  plasmd provider status --addr http://192.168.1.10:8080

Exit codes: 0 done, 1 failed, 2 usage, 65 bad data, 69 out of reach or taken, 78 bad
configuration.
`

const EXIT_BY_CODE: Readonly<Record<string, number>> = {
  'artifacts-missing': EXIT.badConfig,
  'artifacts-misplaced': EXIT.badConfig,
  'artifacts-ambiguous': EXIT.badData,
  'manifest-invalid': EXIT.badData,
  'manifest-too-large': EXIT.badData,
  'node-key-exposed': EXIT.badConfig,
  'node-key-invalid': EXIT.badConfig,
  'node-key-unavailable': EXIT.badConfig,
  'port-in-use': EXIT.unavailable,
  'cannot-listen': EXIT.unavailable,
  'provider-unreachable': EXIT.unavailable,
  'provider-error': EXIT.badData,
  'address-invalid': EXIT.usage,
  'unknown-arch': EXIT.usage,
  'place-unknown': EXIT.usage,
  'already-signed': EXIT.badData,
  'config-invalid': EXIT.badConfig,
  'envelope-differs': EXIT.badData,
  'envelope-invalid': EXIT.badData,
  'json-invalid': EXIT.badData,
  'key-invalid': EXIT.badConfig,
  'manifest-missing': EXIT.badData,
  'sequence-absurd': EXIT.badData,
  'trust-missing': EXIT.badConfig,
  'trust-policy-invalid': EXIT.badConfig,
}

/** Runs `plasmd` with the arguments after its name. @returns the exit code */
export async function plasmd(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.ok
  const done = (result: number) => {
    code = result
  }
  try {
    await pointToHelp(program(done)).parseAsync(argv, { from: 'user' })
    return code
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
    const { code: name, message, hint, cause } = asPlasmError(thrown)
    process.stderr.write(`plasmd: ${message} [${name}]\n${hint ? `  ${hint}\n` : ''}`)
    if (name === 'unexpected') process.stderr.write(`${(cause as Error | undefined)?.stack ?? ''}\n`)
    return EXIT_BY_CODE[name] ?? EXIT.failed
  }
}

function program(done: (code: number) => void): Command {
  const plasmd = readableHelp(new Command('plasmd'))
    .description('Serves boot artifacts to machines that boot from the network.')
    .version(versionLine('plasmd'))
    .addHelpText('after', EXAMPLES)
    .exitOverride()
  plasmd
    .command('serve')
    .description('serve a directory of boot sets: <artifacts>/<channel>/<arch>/{manifest.json,kernel,initramfs,…}')
    .option('-a, --artifacts <dir>', 'what to serve', '/var/lib/plasm/artifacts')
    .option('-c, --channel <channel>', 'channel of GET /manifest.json', asArgument(parseChannel), 'stable')
    .option('-A, --arch <arch>', 'architecture of GET /manifest.json', asArgument(parseArch), hostArch())
    .option('-p, --port <port>', 'TCP port, 0 for any', asArgument(parsePort), 8080)
    .option('-b, --bind <address>', 'address to listen on', '0.0.0.0')
    .option(
      '--identity <file>',
      'node key: who signs boot receipts; by default .node-key in <dir>, made when it is not there',
    )
    .option('--no-mdns', 'do not advertise by mDNS')
    .option('--no-dht', 'take no part in the libp2p DHT')
    .option('--dht-port <port>', 'TCP port of the DHT node, 0 for any', asArgument(parsePort), DHT_PORT)
    .option(
      '--bootstrap <peers>',
      'nodes to join the DHT by, separated by commas: /ip4/A/tcp/4001[/p2p/ID], /dnsaddr/host or host:port; without any this node is one for others',
      asArgument(parseBootstrap),
    )
    .option('-v, --verbose', 'log every request', false)
    .addHelpText('after', HELP.serve)
    .action(async (options, command: Command) => {
      const given = (name: string) => command.getOptionValueSource(name) === 'cli'
      if (!options.dht && (given('bootstrap') || given('dhtPort'))) {
        command.error('error: --no-dht leaves nothing for --bootstrap and --dht-port to do')
      }
      if (options.dht && options.port !== 0 && options.port === options.dhtPort) {
        command.error(`error: --port and --dht-port are both ${options.port}: each needs a port of its own`)
      }
      done(await (await import('./serve-command.ts')).serveCommand(options))
    })
  const provider = plasmd.command('provider').description('ask providers what they are and what they have')
  provider
    .command('status')
    .description('health and counters of one provider')
    .option('--addr <url>', 'base URL of the provider')
    .option('--json', 'print JSON', false)
    .addHelpText('after', HELP.providerStatus)
    .action(async (options) => done(await (await import('./provider-command.ts')).statusCommand(options)))
  provider
    .command('list')
    .description(
      'the boot sets of one provider; without --addr, who is out there, whether each answers, and what it says of itself',
    )
    .option('--addr <url>', 'base URL of the provider')
    .option(
      '--bootstrap <peers>',
      'ask the DHT, too, joined by these nodes: /ip4/A/tcp/4001[/p2p/ID], /dnsaddr/host or host:port, separated by commas; without it mDNS alone',
      asArgument(parseBootstrap),
    )
    .option('-c, --channel <channel>', 'what the DHT is asked for', asArgument(parseChannel), 'stable')
    .option('-A, --arch <arch>', 'what the DHT is asked for', asArgument(parseArch), hostArch())
    .option('--json', 'print JSON: fields as in plasm-agent discover --json', false)
    .addHelpText('after', HELP.providerList)
    .action(async (options, command: Command) => {
      if (options.addr !== undefined && options.bootstrap !== undefined) {
        command.error('error: --addr asks that provider alone, and leaves nothing for --bootstrap to do')
      }
      done(await (await import('./provider-command.ts')).listCommand(options))
    })
  plasmd
    .command('keygen')
    .description('make a key that signs boot sets: <name>.key and <name>.pub; prints its id for the trust policy')
    .argument('<name>', 'file name without .key', asArgument(parseName))
    .option('-o, --out <dir>', 'where to write them', '.')
    .addHelpText('after', HELP.keygen)
    .action(async (name, options) => done(await (await import('./trust-command.ts')).keygenCommand(name, options)))
  const manifest = plasmd.command('manifest').description('make, sign and check the documents that describe a boot set')
  manifest
    .command('sign <where>')
    .description('sign the manifest of a directory or file: writes manifest.dsse.json, or adds a signature to it')
    .requiredOption('-k, --key <file>', 'private key from `plasmd keygen`')
    .addHelpText('after', HELP.sign)
    .action(async (where, options) => done(await (await import('./trust-command.ts')).signCommand(where, options)))
  manifest
    .command('verify <where>')
    .description(
      'say whether machines with a trust policy would accept the manifest of a directory, file or URL, and why not; the artifacts are not read',
    )
    .option('--policy <file>', 'trust policy, with keys/*.pub beside it; by default /etc/plasm/trust/policy.toml')
    .option('--json', 'print JSON', false)
    .addHelpText('after', HELP.verify)
    .action(async (where, options) => done(await (await import('./trust-command.ts')).verifyCommand(where, options)))
  manifest
    .command('show <where>')
    .description('print what the manifest of a directory, file or URL says, without verifying it')
    .option('--json', 'print JSON', false)
    .addHelpText('after', HELP.show)
    .action(async (where, options) => done(await (await import('./trust-command.ts')).showCommand(where, options)))
  manifest
    .command('generate <dir>')
    .description('write <dir>/manifest.json for the artifacts in a directory')
    .option('-c, --channel <channel>', "channel; by default the directory's parent's name", asArgument(parseChannel))
    .option('-A, --arch <arch>', "architecture; by default the directory's name", asArgument(parseArch))
    .option('--release-version <version>', 'version of the release', '0.1.0')
    .option(
      '--sequence <n>',
      'rises with every release; by default one more than the manifest that is there',
      asArgument(parseCount),
    )
    .option('--expires-days <days>', 'for how long clients may boot it', asArgument(parseDays), 365)
    .option('--created-at <time>', 'RFC 3339; by default SOURCE_DATE_EPOCH, or now', asArgument(parseTime))
    .addHelpText('after', HELP.generate)
    .action(async (dir, options) => {
      done(await (await import('./manifest-command.ts')).generateCommand(dir, options))
    })
  plasmd
    .command('version')
    .description('print version, commit and Node version')
    .action(() => void process.stdout.write(`${versionLine('plasmd')}\n`))
  return plasmd
}

function parseChannel(text: string): string {
  if (!CHANNEL.test(text)) throw new Error('is not a channel: lower-case letters, digits, dots, dashes, underscores')
  return text
}

function parseBootstrap(text: string): readonly string[] {
  return bootstrapPeers('--bootstrap', text.split(','))
}

function parseName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text
  throw new Error('is no name for a key: letters, digits, dots, dashes, underscores')
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new Error('is not a port (0 to 65535)')
  return port
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) throw new Error('is not a whole number')
  return count
}

/** A manifest that has expired already is of use to nobody, and takes a good one's place. */
function parseDays(text: string): number {
  const days = parseCount(text)
  if (days === 0) throw new Error('is not a number of days from 1 on')
  return days
}

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/

function parseTime(text: string): Date {
  const time = new Date(text)
  if (!RFC3339.test(text) || Number.isNaN(time.getTime())) throw new Error('is not an RFC 3339 time')
  return time
}
