import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT } from '../service/errors.ts'
import { discoveredLines } from './discover-view.ts'
import { type Survey, survey } from './survey.ts'

const PAUSE_MS = 2_000

export interface DiscoverRequest {
  readonly json: boolean
  readonly watch: boolean
  readonly trustFile?: string | undefined
}

/**
 * `plasm-agent discover`: who is in reach, once or whenever something has changed.
 * @returns 0 where there is a provider that this machine would boot from, 69 where there is none
 * @throws PlasmError of survey.ts
 */
export async function discoverCommand({ json, watch, trustFile }: DiscoverRequest): Promise<number> {
  const stop = new AbortController()
  const interrupted = () => stop.abort()
  if (watch) process.once('SIGINT', interrupted)
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  let shown = ''
  for (;;) {
    if (process.stderr.isTTY && shown === '') console.error('looking around …')
    const found = await survey({ trustFile })
    const state = JSON.stringify(withoutTimes(found))
    if (state !== shown) console.log(json ? JSON.stringify(found) : discoveredLines(found, colour).join('\n'))
    shown = state
    const isThere = found.providers.some(({ verified }) => verified !== null)
    if (watch) await sleep(PAUSE_MS, undefined, { signal: stop.signal }).catch(() => {})
    if (!watch || stop.signal.aborted) return isThere ? EXIT.ok : EXIT.unavailable
  }
}

/** What changes with every look. */
function withoutTimes({ at: _, mdns: ___, providers, ...found }: Survey): unknown {
  return { ...found, providers: providers.map(({ latencyMs: __, ...provider }) => provider) }
}
