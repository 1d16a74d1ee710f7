import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Path of a file in test/support. */
export const support = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Command line of one of the programs in test/support, or below the repository. */
export const node = (program: string, ...args: string[]): string =>
  [process.execPath, program.startsWith('/') ? program : support(program), ...args].join(' ')

/**
 * Runs a command on a link of two, with no default route, and another one beside it on the other end (two-networks.sh).
 * @returns the last line that the command printed, as JSON
 */
export async function onLinkPair<T>(
  peer: string,
  command: string,
  env: Record<string, string> = {},
  timeout = 30_000,
): Promise<T> {
  const options = { timeout, env: { PATH: process.env.PATH, ...env } }
  const { stdout } = await promisify(execFile)(support('two-networks.sh'), [peer, command], options)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T
}
