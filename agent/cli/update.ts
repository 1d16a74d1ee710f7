import { Option } from 'commander'
import type { AddCommand } from '../../service/add-command.ts'
import { EXIT } from '../../service/errors.ts'
import { answering } from './answering.ts'

const HELP = `
A machine that serves looks every few minutes whether another provider has a newer set that it
trusts, fetches it while it goes on serving the old one, and serves the new one. This asks the
running agent to look now. Run it as root; Ctrl-C ends the waiting only.

  plasm-agent update            says what is newer, and who has it
  plasm-agent update --apply    fetches it and serves it, or boots it: with apply = "kexec" in
                                /etc/plasm/agent.toml

Exit codes: 0 up to date, or the newer set is served (or about to be booted); 10 there is a newer
one (--check); 2 wrong usage; 69 the agent does not run or is not ready, or no other provider is
in reach; 65 what a provider sent is wrong; 130 interrupted; 1 anything else.`

/** `--check` has found a newer set. */
const EXIT_NEWER = 10
const EXIT_INTERRUPTED = 130

interface Options {
  readonly apply?: boolean
  readonly json: boolean
}

export const addUpdate: AddCommand = (program, done) => {
  program
    .command('update')
    .description('ask the running agent for newer sets: what there is, or to serve it')
    .addOption(new Option('--check', 'only say what there is (this is the default)').conflicts('apply'))
    .option('--apply', 'fetch the newest set and serve it')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', HELP)
    .action(async (options: Options) => done(await answering(options.json, () => run(options))))
}

async function run({ apply, json }: Options): Promise<number> {
  const { describeUpdate, update } = await import('../update-command.ts')
  process.once('SIGINT', () => {
    console.error('plasm-agent: the agent goes on by itself; see plasm-agent status')
    process.exit(EXIT_INTERRUPTED)
  })
  const say = (line: string) => console.error(`plasm-agent: ${line}`)
  const result = await update({ action: apply ? 'apply' : 'check', say })
  console.log(json ? JSON.stringify(result) : describeUpdate(result).join('\n'))
  return result.outcome === 'newer' ? EXIT_NEWER : EXIT.ok
}
