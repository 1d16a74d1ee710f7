import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { EXIT } from '../service/errors.ts'

/**
 * What a unit has logged, as journalctl(1) prints it: straight to this terminal.
 * @returns an exit code
 */
export async function journal(
  unit: string,
  { lines, follow }: { readonly lines: number; readonly follow: boolean },
): Promise<number> {
  const words = ['--unit', unit, '--lines', String(lines), '--no-pager', '--quiet', '--output=short-iso']
  const child = spawn('journalctl', [...words, ...(follow ? ['--follow'] : [])], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  // Ctrl-C is for whoever prints.
  const ignore = () => {}
  process.on('SIGINT', ignore)
  const [code] = (await once(child, 'exit')) as [number | null]
  process.off('SIGINT', ignore)
  return code === 0 || code === null || follow ? EXIT.ok : EXIT.failed
}
