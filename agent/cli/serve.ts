import type { AddCommand } from '../../service/add-command.ts'

const HELP = `
What happens: it puts the boot set that crossed kexec into the store, runs plasmd on it, reads back
over HTTP every byte that plasmd serves, and only then advertises it: by mDNS, and with
phase.mode=internet in the DHT. Then it watches: what ends is started again, what rots is fetched
again, newer sets are taken in. With phase.mode=private nothing is served.

Init runs it by itself, one on each machine, as root. It goes on until SIGTERM or Ctrl-C, and stops
plasmd then. To serve a directory on a host there is plasmd serve.

Steps: config, adopt, provider, self-check, advertise, ready, watch. A failure names its step, has a
code (docs/errors.md) and is tried again.

Examples:
  plasm-agent serve        in a machine where init does not do it
  plasm-agent status       from another shell: is it ready, and if not, why?
  plasm-agent logs -f      what it does

Exit codes: 0 stopped as asked, 1 another agent serves this store, or the set that was booted on
trial did not become ready and the machine starts anew, 2 wrong usage, 78 the configuration or the
trust policy is wrong. Init starts it again.`

export const addServe: AddCommand = (program, done) => {
  program
    .command('serve')
    .description('serve stage: serve what this machine was booted from')
    .addHelpText('after', HELP)
    .action(async () => done(await (await import('../serve-stage.ts')).serveStage()))
}
