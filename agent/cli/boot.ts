import type { AddCommand } from '../../service/add-command.ts'

const HELP = `
What happens: it looks for providers in every way that phase.mode allows, asks each for its
manifest, holds that against this image's trust policy, and turns to the best; fetches the boot
set, every chunk verified; builds an initrd that carries the set, and kexecs. It does not return.
When no provider works it says why, waits, and tries again for ever. The machine that comes up then
runs plasm-agent serve.

Init runs it by itself. It ends the system that runs: on a host, ask plasm-agent discover instead,
which boots nothing.

Steps: config, discover, manifests, verify, rank, preflight, fetch, receipt, handover, kexec-load,
kexec-exec. A failure names its step and has a code (docs/errors.md).

Examples:
  plasm-agent boot         as root, in a machine that Phase Boot booted
  plasm-agent doctor       before that: may this machine kexec, is its memory enough?
  plasm-agent why          while it tries: what became of each provider

On the kernel command line, to boot from one provider beside those that are found:
  phase.provider=http://192.168.1.10:8080 phase.channel=stable

Exit codes: 2 wrong usage, 65 providers were found, and this image's trust policy refuses all that
they have, 78 the configuration or the trust policy is wrong, 1 anything else that ends it. Init
waits and starts it again.`

export const addBoot: AddCommand = (program, done) => {
  program
    .command('boot')
    .description('fetch stage: find a provider, fetch and verify a boot set, kexec into it')
    .addHelpText('after', HELP)
    .action(async () => done(await (await import('../boot-stage.ts')).bootStage()))
}
