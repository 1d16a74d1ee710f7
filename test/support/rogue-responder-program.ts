import { setTimeout as sleep } from 'node:timers/promises'
import { startProvider } from '../../service/provider.ts'
import { announcement } from './mdns-packets.ts'
import { createSpeaker, whenAsked } from './mdns-speaker.ts'

/**
 * A rogue that answers whoever asks at once, and an honest plasmd, until killed. Arguments: what the honest one and the rogue serve; after how many ms the honest one answers, in the
 * place of plasmd's own answers. Prints a line once nobody speaks any more without being asked.
 */
export const HONEST_URL = 'http://10.77.0.1:8080'
export const ROGUE_URL = 'http://10.77.0.66:8080'

if (import.meta.main) {
  const [honest, rogue, afterMs] = process.argv.slice(2) as [string, string, string?]
  const speaker = createSpeaker()
  const ROGUE = '10.77.0.66'
  await speaker.open(ROGUE)
  const claims = { generation: '7', sequence: '99', load: '0' }
  const lie = announcement({ label: 'plasmd-rogue', address: ROGUE, txt: claims })
  const truth = announcement({ label: 'plasmd-honest', host: 'honest', address: '10.77.0.1', txt: { generation: '1' } })
  await startProvider({ artifacts: rogue, bind: ROGUE })
  await startProvider({ artifacts: honest, bind: '10.77.0.1', mdns: afterMs === undefined })
  // By then plasmd has announced itself as often as it does by itself.
  await sleep(afterMs === undefined ? 6_000 : 0)
  // Linux gives what is for a group to the last socket but one first, and to the last one last.
  await whenAsked((asker) => {
    void speaker.send(lie, ROGUE, asker)
    if (afterMs !== undefined) void sleep(Number(afterMs)).then(() => speaker.send(truth, '10.77.0.1', asker))
  })
  await whenAsked(() => {})
  console.log('speaking')
}
