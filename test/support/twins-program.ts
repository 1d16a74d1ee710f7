import { setTimeout as sleep } from 'node:timers/promises'
import { startProvider } from '../../service/provider.ts'
import { announcement } from './mdns-packets.ts'
import { createSpeaker } from './mdns-speaker.ts'

/**
 * Two providers with one node key, until killed; both advertise themselves, one of them as the busier. Arguments: its index, what each serves.
 * Prints a line once both serve.
 */
export const TWIN_URLS = ['http://10.77.0.1:8081', 'http://10.77.0.1:8082'] as const

if (import.meta.main) {
  const [busy, ...trees] = process.argv.slice(2)
  const { send } = createSpeaker()
  const twins = await Promise.all(trees.map((artifacts, index) => startProvider({ artifacts, port: 8081 + index })))
  console.log('serving')
  for (;;) {
    for (const [index, { port, peerId }] of twins.entries()) {
      const txt = { generation: '0', peer_id: peerId, load: index === Number(busy) ? '5' : '0' }
      await send(announcement({ label: `plasmd-twin-${port}`, host: 'twin', address: '10.77.0.1', port, txt }))
    }
    await sleep(200)
  }
}
