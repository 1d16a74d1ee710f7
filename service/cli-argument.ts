import { InvalidArgumentError } from 'commander'

/** A parser as commander wants it: what it throws becomes a usage error that names the option. */
export function asArgument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (thrown) {
      throw new InvalidArgumentError((thrown as Error).message)
    }
  }
}
