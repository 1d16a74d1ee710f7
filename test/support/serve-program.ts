import { appendFileSync } from 'node:fs'
import { serve } from '../../agent/serve.ts'
import type { ServeSetting } from '../../agent/serve-setting.ts'
import { type FakeKernel, rollingOn } from './fake-kernel.ts'

/**
 * The serve stage in a process of its own. Argument: a {@link ServeProgram} as JSON.
 */
export interface ServeProgram {
  readonly setting: Omit<ServeSetting, 'advertise' | 'address' | 'discovery' | 'rolling'>
  readonly kernel: FakeKernel
  /** What is advertised goes into this file, a line each, and nothing is browsed; null: the link that is there. */
  readonly advertisements: string | null
}

const { setting, kernel, advertisements } = JSON.parse(process.argv[2]!) as ServeProgram
const rolling = rollingOn(kernel)
process.exitCode = await serve({ ...setting, rolling, ...(advertisements === null ? {} : onLoopback(advertisements)) })

function onLoopback(advertisements: string): Partial<ServeSetting> {
  return {
    address: () => '127.0.0.1',
    discovery: { deadlineMs: 500, othersMs: 2_000, addresses: () => new Set() },
    advertise: async (service) => {
      const note = (what: string) => appendFileSync(advertisements, `${what} ${JSON.stringify(service)}\n`)
      note('advertised')
      return { stop: async () => note('goodbye') }
    },
  }
}
