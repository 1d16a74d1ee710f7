import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hostArch } from '../../service/arch.ts'
import { startProvider } from '../../service/provider.ts'
import { lie } from './dht-liars.ts'

/**
 * A DHT whose first node gives a poisoned value to whoever asks: it leads to a rogue, and is the only one until the rogue has been
 * asked for its manifest. Some time after that an honest plasmd joins. Until killed. Arguments: what the honest one and the rogue serve. Prints a
 * line when the rogue is there.
 */
const [honest, rogue] = process.argv.slice(2) as [string, string]
/** More than the first answer is waited past (agent/candidate.ts, SETTLING). */
const LATER_MS = 1_500
const ROGUE = '10.77.0.66'

execFileSync('ip', ['address', 'add', `${ROGUE}/24`, 'dev', 'far'])
const server = createServer(({ url = '/' }, response) => {
  createReadStream(join(rogue, url))
    .on('error', () => response.writeHead(404).end())
    .pipe(response)
}).listen(8080, ROGUE)
await once(server, 'listening')
await lie({ first: true, value: `http://${ROGUE}:8080/stable/${hostArch()}/manifest.json` })
console.log('lying')
await once(server, 'request')
await sleep(LATER_MS)
await startProvider({
  ...{ artifacts: honest, bind: '10.77.0.1' },
  ...{ dht: true, dhtPort: 4002, bootstrap: ['10.77.0.1:4001'] },
})
