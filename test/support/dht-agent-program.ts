import { hostArch } from '../../service/arch.ts'
import { parseBootstrapPeer } from '../../service/dht/bootstrap-peer.ts'
import { recordKey } from '../../service/dht/keys.ts'
import { openDhtClient } from '../../service/dht/libp2p.ts'
import type { ProviderDocument } from '../../service/dht/provider-document.ts'
import { makeSet } from './boot-set.ts'
import { makeServeMachine, until } from './serve-machine.ts'

/**
 * A machine in its serve stage, in mode internet, and somebody who looks for it in the DHT; on the link of on-link.sh, and no other. Prints
 * as JSON what it says of itself, its peer id in its status, whether it is still there after it has lost its set, and its exit code.
 */
export interface SeenInDht {
  readonly document: ProviderDocument
  readonly peerId: string
  readonly statusPeerId: string
  readonly ended: number | string
  /** Who is asked after it has ended. */
  readonly after: string
}

const machine = await makeServeMachine({ cmdline: 'plasm.stage=serve phase.mode=internet' })
await machine.handOver(makeSet())
const agent = machine.start({ onLink: true })
await machine.event('ready')
const stop = new AbortController()
const client = await openDhtClient([parseBootstrapPeer(`10.78.0.1:${machine.dhtPort}`)!], stop.signal)
const key = recordKey('stable', hostArch())
const [peer] = await until('a provider', async () => {
  const found = await Array.fromAsync(client.providers(key))
  return found.length > 0 && found
})
const { document } = await peer!.ask()
const { peerId: statusPeerId } = await machine.status()
const ended = await agent.stop()
const after = await peer!.ask().then(
  () => 'answers',
  (thrown: Error) => thrown.message,
)
stop.abort()
await client.stop()
await machine.remove()
const seen: SeenInDht = { document, peerId: peer!.peerId, statusPeerId: statusPeerId ?? '', ended, after }
console.log(JSON.stringify(seen))
process.exit(0)
