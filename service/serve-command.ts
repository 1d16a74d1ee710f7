import { hostname } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { EXIT } from './errors.ts'
import { type ProviderOptions, startProvider } from './provider.ts'
import { recordLines, servingLines } from './serve-view.ts'
import { servedSets } from './status.ts'
import { tellSystemd } from './systemd-notify.ts'

const say = (lines: readonly string[]) => lines.forEach((line) => void process.stderr.write(`${line}\n`))
const FOR_PEOPLE = { write: (text: string) => say(recordLines(text)) }

type Asked = Omit<ProviderOptions, 'log' | 'bind'> & { readonly bind: string; readonly verbose: boolean }

/** `plasmd serve`: until SIGTERM or SIGINT; a second signal cuts what still runs. Logs JSON lines, and for a person on a terminal words. */
export async function serveCommand(options: Asked): Promise<number> {
  const person = process.stderr.isTTY === true
  const log = pino(
    {
      level: options.verbose ? 'debug' : 'info',
      base: { pid: process.pid, hostname: hostname() },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    person ? FOR_PEOPLE : pino.destination({ dest: 2, sync: true }),
  )
  const signals = new EventTarget()
  const asked = new Promise<void>((resolve) => signals.addEventListener('signal', () => resolve(), { once: true }))
  // Before it serves: whoever sees it serve may ask it to stop at once.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info({ signal }, 'stopping')
      signals.dispatchEvent(new Event('signal'))
    })
  }
  const provider = await startProvider({ ...options, log })
  const sets = await servedSets(options.artifacts)
  if (person) say(servingLines({ ...options, port: provider.port, sets }))
  if (sets.length === 0) {
    const hint = `sets lie in ${join(options.artifacts, '<channel>/<arch>')}, each with its kernel, and are served as soon as they are there`
    log.warn({ artifacts: options.artifacts, hint }, 'there is no boot set to serve yet')
  }
  tellSystemd('--ready')
  await asked
  signals.addEventListener('signal', () => void provider.stop())
  await provider.stop()
  return EXIT.ok
}
