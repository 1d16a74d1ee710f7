import { reachBootstrap } from './bootstrap-reach.ts'
import type { AgentConfig } from './config.ts'
import { asksDht } from './discover.ts'
import type { Finding } from './doctor-view.ts'

const check = 'dht'
const LOOK =
  'see that plasmd serve runs there and that its TCP port (4001 unless it says otherwise) can be reached (docs/network.md)'

/** The nodes by which the DHT is joined, as the doctor sees them; none where phase.mode asks no DHT. */
export async function dhtFindings(config: Pick<AgentConfig, 'mode' | 'bootstrap'>): Promise<readonly Finding[]> {
  if (!asksDht(config)) return []
  if (config.bootstrap.length === 0) {
    return [
      {
        ...{
          check,
          verdict: 'doubtful',
          found: 'no node is named to join it by: only one that a neighbour tells of will do',
        },
        next: 'name one beyond this link with phase.bootstrap=192.0.2.1:4001; any plasmd serve is one',
      },
    ]
  }
  const reach = await reachBootstrap(config.bootstrap)
  const silent = reach.filter(({ problem }) => problem !== null).map(({ peer, problem }) => `${peer}: ${problem}`)
  const reached = `${reach.length - silent.length} of ${reach.length} bootstrap peers can be connected to`
  if (silent.length === 0) return [{ check, verdict: 'fine', found: reached }]
  const verdict = silent.length === reach.length ? 'wrong' : 'doubtful'
  return [{ check, verdict, found: [reached, ...silent].join('; '), next: LOOK }]
}
