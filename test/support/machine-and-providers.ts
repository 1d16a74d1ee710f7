import type { TestContext } from 'node:test'
import { hostArch } from '../../service/arch.ts'
import type { TestSet } from './boot-set.ts'
import { startProvider, type TestProvider } from './provider.ts'
import { makeServeMachine, type ServeMachine } from './serve-machine.ts'

/** A provider that ends with the test. */
export async function provider(
  t: TestContext,
  set: TestSet,
  about?: Parameters<typeof startProvider>[1],
): Promise<TestProvider> {
  const made = await startProvider(set, about)
  t.after(() => made.close())
  return made
}

/** A machine that knows these providers, and ends with the test. Nothing is handed over to it yet. */
export async function machineThatKnows(t: TestContext, providers: readonly string[]): Promise<ServeMachine> {
  const at = await makeServeMachine({ cmdline: thatKnows(providers) })
  t.after(() => at.remove())
  return at
}

/** The kernel command line of one. */
export const thatKnows = (providers: readonly string[]): string =>
  `plasm.stage=serve phase.provider=${providers.join(',')}`

/** What a machine answers to who asks for its kernel. */
export const askForKernel = ({ url }: { readonly url: string }): Promise<Response> =>
  fetch(`${url}/stable/${hostArch()}/vmlinuz`)

export const kernelOf = async (at: { readonly url: string }): Promise<Buffer> =>
  Buffer.from(await (await askForKernel(at)).arrayBuffer())
