import { once } from 'node:events'
import { makeSet } from './boot-set.ts'
import { makeServeMachine } from './serve-machine.ts'

/** A machine in the serve stage on the link that is there; prints the address that it tells when it is ready, and serves until it is ended. */
const at = await makeServeMachine()
await at.handOver(makeSet({ sequence: 1 }))
at.start({ onLink: true })
const { address } = await at.event('ready')
console.log(`ready at ${address}`)
await once(process, 'SIGTERM')
await at.remove()
