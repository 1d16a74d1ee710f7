import type { AddCommand } from '../../service/add-command.ts'

const HELP = `
Exit codes: 0 ready, 1 not ready, 3 not running, 4 unknown (LSB).`

export const addStatus: AddCommand = (program, done) => {
  program
    .command('status')
    .description('say whether this machine is ready, where it comes from and what it serves')
    .option('--json', 'print the status document', false)
    .option('--watch', 'go on printing as it changes', false)
    .addHelpText('after', HELP)
    .action(async (options: { json: boolean; watch: boolean }) => {
      const { status } = await import('../status.ts')
      done(await status(options))
    })
}
