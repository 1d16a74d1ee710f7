import type { TestContext } from 'node:test'
import { boot } from '../../agent/boot.ts'
import type { BootMachine } from './boot-machine.ts'
import type { TestProvider } from './provider.ts'

/** Runs the fetch stage until the test ends; then stops it, closes the providers and removes the machine's files. */
export function startBoot(
  t: TestContext,
  machine: BootMachine,
  providers: readonly TestProvider[] = [],
): BootMachine & { readonly ended: Promise<number> } {
  const stop = new AbortController()
  const ended = boot({ ...machine.parts, signal: stop.signal })
  t.after(async () => {
    stop.abort()
    await ended
    await Promise.all(providers.map((provider) => provider.close()))
    await machine.remove()
  })
  return { ...machine, ended }
}
