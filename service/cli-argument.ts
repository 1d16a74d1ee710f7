import { type Command, InvalidArgumentError } from 'commander'
import { PlasmError } from './errors.ts'

/** A parser as commander wants it: what it throws becomes a usage error that names the option, with the hint if it has one. */
export function asArgument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (thrown) {
      throw new InvalidArgumentError(sentence(thrown, '; '))
    }
  }
}

/**
 * For what an option names and takes a while to look at, such as a file: a PlasmError becomes a usage error that names the
 * option. Commands call it before they do anything else.
 */
export async function checkOption(command: Command, option: string, check: () => Promise<void>): Promise<void> {
  try {
    await check()
  } catch (thrown) {
    if (!(thrown instanceof PlasmError)) throw thrown
    command.error(`error: option '${option}': ${sentence(thrown, '\n  ')}`)
  }
}

function sentence(thrown: unknown, beforeHint: string): string {
  const hint = thrown instanceof PlasmError ? thrown.hint : undefined
  return `${(thrown as Error).message}${hint === undefined ? '' : `${beforeHint}${hint}`}`
}
