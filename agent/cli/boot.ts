import type { AddCommand } from '../../service/add-command.ts'

const HELP = `
Steps: config, discover, manifests, verify, rank, preflight, fetch, receipt, handover, kexec-load,
kexec-exec. It ends in kexec and does not return. When no provider works it says why, waits, and
tries again for ever.

Exit codes: 65 providers were found, and this image's trust policy refuses all that they have; 78
the configuration or the trust policy is wrong. Init waits and starts it again.`

export const addBoot: AddCommand = (program, done) => {
  program
    .command('boot')
    .description('fetch stage: find a provider, fetch and verify a boot set, kexec into it')
    .addHelpText('after', HELP)
    .action(async () => done(await (await import('../boot-stage.ts')).bootStage()))
}
