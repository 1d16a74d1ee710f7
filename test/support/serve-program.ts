import { appendFileSync } from 'node:fs'
import { mdns } from '../../agent/advertise-step.ts'
import { serve } from '../../agent/serve.ts'
import type { ServeSetting } from '../../agent/serve-setting.ts'

/**
 * The serve stage in a process of its own. Argument: a {@link ServeProgram} as JSON.
 */
export interface ServeProgram {
  readonly setting: Omit<ServeSetting, 'advertise' | 'address' | 'discovery'>
  /** What is advertised goes into this file, a line each; null: mDNS. */
  readonly advertisements: string | null
}

const { setting, advertisements } = JSON.parse(process.argv[2]!) as ServeProgram
process.exitCode = await serve({
  ...setting,
  address: () => '127.0.0.1',
  // Nothing is browsed: these tests stay on loopback.
  discovery: { deadlineMs: 500, addresses: () => new Set() },
  advertise:
    advertisements === null
      ? mdns
      : async (service) => {
          const note = (what: string) => appendFileSync(advertisements, `${what} ${JSON.stringify(service)}\n`)
          note('advertised')
          return { stop: async () => note('goodbye') }
        },
})
