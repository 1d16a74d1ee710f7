import type { AddCommand } from '../../service/add-command.ts'
import { answering } from './answering.ts'

const HELP = `
Looks around for some seconds as a booting machine does, in every way that phase.mode allows: mDNS,
the providers that phase.provider= names, the one that it booted from before, and with
phase.mode=internet the DHT; where that could not be joined it says why, and what to do. Each
provider is asked for its manifest, which is judged by this machine's trust policy. What a provider
says of itself decides nothing but the order among equals. Nothing is fetched, booted or kept.

  plasm-agent discover
  plasm-agent discover --watch                     again and again, printed when something changes
  plasm-agent discover --policy DIR/policy.toml    on a host, which has no policy of its own

Why this machine booted from where it did: plasm-agent why

Exit codes: 0 there is a provider to boot from, 69 there is none, 2 wrong usage, 78 the
configuration or the trust policy is wrong.`

interface Options {
  readonly json: boolean
  readonly watch: boolean
  readonly policy?: string
}

export const addDiscover: AddCommand = (program, done) => {
  program
    .command('discover')
    .description('list the providers that are in reach, with what each is worth to this machine')
    .option('--json', 'print one JSON object; with --watch one a line', false)
    .option('--watch', 'go on looking', false)
    .option('--policy <file>', 'trust policy, with keys/*.pub beside it; by default /etc/plasm/trust/policy.toml')
    .addHelpText('after', HELP)
    .action(async ({ json, watch, policy }: Options) =>
      done(
        await answering(json, async () => {
          const { discoverCommand } = await import('../discover-command.ts')
          return discoverCommand({ json, watch, trustFile: policy })
        }),
      ),
    )
}
