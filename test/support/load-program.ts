import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { advertiseSet, firstAddress, mdns } from '../../agent/advertise-step.ts'
import type { Served } from '../../agent/served.ts'
import { advertiseSets } from '../../service/advertise-sets.ts'
import { hostArch } from '../../service/arch.ts'
import { startProvider } from '../../service/provider.ts'

/**
 * A provider that advertises itself as plasmd does, or as the agent does, from which somebody fetches a kernel for some seconds.
 * Arguments: `plasmd` or `agent`, what is served. Prints a line once it is advertised.
 */
const [by, root] = process.argv.slice(2) as ['plasmd' | 'agent', string]
const arch = hostArch()
const { port, peerId } = await startProvider({ artifacts: root })

async function running(): Promise<number> {
  const { metrics } = (await (await fetch(`http://127.0.0.1:${port}/status`)).json()) as {
    metrics: { transfers_running: number }
  }
  return metrics.transfers_running
}

if (by === 'plasmd') {
  let load = 0
  setInterval(async () => (load = await running()), 50)
  const out = Promise.withResolvers<void>()
  const log = { info: () => out.resolve(), warn: console.error }
  const timing = { lookMs: 100, loadMs: 500 }
  advertiseSets({
    root,
    port,
    bind: '0.0.0.0',
    first: { channel: 'stable', arch },
    peerId,
    load: () => load,
    log,
    timing,
  })
  await out.promise
} else {
  const served = {
    set: { verified: { digest: 'sha256:00', manifest: { channel: 'stable', arch, version: '1', sequence: 1 } } },
    record: { machine: 'plasm-aaaaaa', generation: 1, peerId },
  } as unknown as Served
  await advertiseSet(
    { advertise: mdns, address: firstAddress },
    served,
    { port, ipv6: false },
    new AbortController().signal,
    500,
  )
}
console.log('advertised')
// Until it has announced itself as often as it does by itself.
await sleep(5_000)
const client = connect(port, '127.0.0.1')
await once(client, 'connect')
client.pause()
client.write(`GET /stable/${arch}/kernel HTTP/1.1\r\nHost: x\r\n\r\n`)
await sleep(2_000)
client.destroy()
