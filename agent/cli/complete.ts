import type { AddCommand } from '../../service/add-command.ts'

const HELP = `
Init runs it before it switches to a rootfs that memory had no room to carry across kexec. It
fetches what is missing in /var/lib/plasm/boot-artifacts/.handover, verified against the manifest
there, and tries for ever.

Exit codes: 0 nothing is missing any more, 78 there is no manifest that this machine trusts, or
its configuration is wrong.`

export const addComplete: AddCommand = (program, done) => {
  program
    .command('complete')
    .description('fetch what was left out of the handover')
    .addHelpText('after', HELP)
    .action(async () => {
      const [{ complete }, { createLog }] = await Promise.all([import('../complete.ts'), import('../log.ts')])
      done(await complete({ sinks: [createLog('plasm-agent').sink] }))
    })
}
