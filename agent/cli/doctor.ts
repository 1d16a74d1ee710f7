import type { AddCommand } from '../../service/add-command.ts'

const HELP = `
Looks at configuration, trust policy, clock, network, memory, kexec, data disk, store and port,
and with phase.mode=internet whether the nodes can be reached by which the DHT is joined. It
changes nothing, and says what to do about each that is wrong. On a host, which Phase Boot did not
boot, it leaves out what only a machine needs.

Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.`

export const addDoctor: AddCommand = (program, done) => {
  program
    .command('doctor')
    .description('look at what booting and serving rest on, and say what to do about what is wrong')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', HELP)
    .action(async ({ json }: { json: boolean }) => {
      const { doctor } = await import('../doctor.ts')
      done(await doctor(json))
    })
}
