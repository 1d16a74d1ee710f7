import { pino } from 'pino'
import { EXIT } from './errors.ts'
import { type ProviderOptions, startProvider } from './provider.ts'

/** `plasmd serve`: until SIGTERM or SIGINT. */
export async function serveCommand(options: Omit<ProviderOptions, 'log'> & { verbose: boolean }): Promise<number> {
  const log = pino({ level: options.verbose ? 'debug' : 'info' }, pino.destination({ dest: 2, sync: true }))
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
  const provider = await startProvider({ ...options, log })
  const signal = await stopped
  log.info({ signal }, 'stopping')
  await provider.stop()
  return EXIT.ok
}
