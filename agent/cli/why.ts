import type { AddCommand } from '../../service/add-command.ts'
import { answering } from './answering.ts'

const HELP = `
Tells of each provider that was there when this machine booted how it was found and what became of
it: chosen, ranked behind the chosen one and by which rule, or rejected and why. While the fetch
stage still tries, of its last attempt.

Exit codes: 0 told, 1 there is nothing to tell, 2 wrong usage.`

export const addWhy: AddCommand = (program, done) => {
  program
    .command('why')
    .description('explain the last choice of a provider, candidate by candidate')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', HELP)
    .action(async ({ json }: { json: boolean }) =>
      done(
        await answering(json, async () => {
          const { why } = await import('../why.ts')
          return why(json)
        }),
      ),
    )
}
