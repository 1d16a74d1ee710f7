import { discover } from '../../agent/discover.ts'
import { connectProvider, readDocument } from '../../agent/http-body.ts'
import { readFrom } from '../../agent/http-range.ts'
import { hostArch } from '../../service/arch.ts'
import { ownAddresses } from '../../service/own-addresses.ts'

/**
 * Discovers a provider here, asks it for its health and fetches an artifact of it. Prints {candidate, health, bytes} as JSON.
 * Arguments: the artifact's path and size; nothing is fetched without.
 */
const [path, size] = process.argv.slice(2)
const patience = { connectMs: 2000, headersMs: 2000, stallMs: 2000 }
const [candidate] = await discover(
  {
    providers: [],
    bootstrap: [],
    channel: 'stable',
    arch: hostArch(),
    mode: 'local',
    storeRoot: '/nonexistent',
  } as const,
  () => {},
  {
    deadlineMs: 10_000,
    addresses: ownAddresses,
  },
)
const connection = await connectProvider(candidate!, patience)
const health = JSON.parse((await readDocument(connection, '/health', 10_000)).toString())
connection.close()
let bytes = 0
const take = (data: Buffer) => {
  bytes += data.length
}
if (path)
  await readFrom({ ...candidate!, url: `${candidate!.url}${path}` }, { from: 0, size: Number(size) }, patience, take)
console.log(JSON.stringify({ candidate, health, bytes }))
