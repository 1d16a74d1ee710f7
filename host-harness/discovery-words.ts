import { DHT_PORT } from '../service/dht/bootstrap-peer.ts'
import { type Participant, PROVIDER_PORT } from './addresses.ts'
import { type Discovery, usesDht } from './topology.ts'

/**
 * Words of a machine's kernel command line that say how it is to find its provider.
 * @param neighbours the live providers that its network lets it reach. Their peer ids are left out of the multiaddrs: with
 *   twenty of them the line would be longer than the kernel's 2048 bytes
 */
export function discoveryWords(
  discovery: Discovery,
  neighbours: ReadonlyArray<Pick<Participant, 'address'>>,
): readonly string[] {
  const list = (name: string, entries: readonly string[]) =>
    entries.length === 0 ? [] : [`${name}=${entries.join(',')}`]
  if (usesDht(discovery)) {
    const bootstrap = neighbours.map(({ address }) => `/ip4/${address}/tcp/${DHT_PORT}`)
    return ['phase.mode=internet', ...list('phase.bootstrap', bootstrap)]
  }
  const providers = neighbours.map(({ address }) => `http://${address}:${PROVIDER_PORT}`)
  return ['phase.mode=local', ...(discovery === 'static' ? list('phase.provider', providers) : [])]
}
