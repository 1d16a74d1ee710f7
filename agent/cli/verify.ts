import type { AddCommand } from '../../service/add-command.ts'
import { EXIT } from '../../service/errors.ts'
import { answering } from './answering.ts'

const HELP = `
Reads every byte and compares it with the manifest, which must be one that this machine trusts. It
stops at nothing: every artifact gets a line, and for one that differs the chunk (4 MiB in sets
made here) where it begins to.

  plasm-agent verify /var/lib/plasm/boot-artifacts/stable/x86_64
  plasm-agent verify http://192.168.1.10:8080

Exit codes: 0 every artifact is what the manifest says, 2 wrong usage, 65 something differs, is
missing or is not trusted, 69 the provider does not answer, 78 the configuration or the trust
policy is wrong, 1 anything else.`

interface Options {
  readonly policy?: string
  readonly json: boolean
}

export const addVerify: AddCommand = (program, done) => {
  program
    .command('verify')
    .description('read a boot set and name what is not what its manifest says')
    .argument('<dir|url>', "directory with manifest.json and the artifacts, or a provider's URL")
    .option('--policy <file>', 'trust policy, with keys/*.pub beside it; by default /etc/plasm/trust/policy.toml')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', HELP)
    .action(async (what: string, options: Options) => done(await answering(options.json, () => run(what, options))))
}

async function run(what: string, { json, policy }: Options): Promise<number> {
  const { describeFindings, verifySet } = await import('../verify-command.ts')
  const result = await verifySet({ what, ...(policy === undefined ? {} : { trustFile: policy }) })
  console.log(json ? JSON.stringify(result) : describeFindings(result).join('\n'))
  return result.whole ? EXIT.ok : EXIT.badData
}
