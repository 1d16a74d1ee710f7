import { Argument } from 'commander'
import type { AddCommand } from '../../service/add-command.ts'
import { asArgument } from '../../service/cli-argument.ts'
import { EXIT } from '../../service/errors.ts'
import type { LogName } from '../logs.ts'
import { answering } from './answering.ts'

const HELP = `
Prints the last lines of what agent or plasmd have logged in the serve stage
(/run/plasm/agent.log, /run/plasm/plasmd.log; with a data disk in /var/lib/plasm/log, where those
of earlier boots are, too). Where systemd runs plasmd, its log is the journal's.

Exit codes: 0 printed, 1 there is no such log, 2 wrong usage.`

interface Options {
  readonly lines: number
  readonly follow: boolean
}

export const addLogs: AddCommand = (program, done) => {
  program
    .command('logs')
    .description('print what the agent or plasmd have logged')
    .addArgument(new Argument('[whose]', 'whose log').choices(['agent', 'plasmd']).default('agent'))
    .option('-n, --lines <n>', 'how many of the last lines', asArgument(parseLines), 100)
    .option('-f, --follow', 'go on printing what is added, until Ctrl-C', false)
    .addHelpText('after', HELP)
    .action(async (name: LogName, options: Options) => done(await answering(false, () => run(name, options))))
}

async function run(name: LogName, { lines, follow }: Options): Promise<number> {
  const { systemdHasPlasmd } = await import('../service-manager.ts')
  if (name === 'plasmd' && systemdHasPlasmd()) {
    const { journal } = await import('../journal.ts')
    return journal('plasmd.service', { lines, follow })
  }
  const { logs } = await import('../logs.ts')
  const stop = new AbortController()
  if (follow) process.once('SIGINT', () => stop.abort())
  const print = (text: string) => process.stdout.write(text)
  await logs({ name, lines, print, ...(follow ? { follow: stop.signal } : {}) })
  return EXIT.ok
}

function parseLines(text: string): number {
  const lines = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(lines)) throw new Error('it is not a whole number')
  return lines
}
