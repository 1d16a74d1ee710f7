import { pino } from 'pino'
import { EXIT } from './errors.ts'
import { type ProviderOptions, startProvider } from './provider.ts'

/** `plasmd serve`: until SIGTERM or SIGINT; a second signal cuts what still runs. */
export async function serveCommand(options: Omit<ProviderOptions, 'log'> & { verbose: boolean }): Promise<number> {
  const log = pino({ level: options.verbose ? 'debug' : 'info' }, pino.destination({ dest: 2, sync: true }))
  const provider = await startProvider({ ...options, log })
  await new Promise<void>((stopped) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        log.info({ signal }, 'stopping')
        void provider.stop().then(stopped)
      })
    }
  })
  return EXIT.ok
}
