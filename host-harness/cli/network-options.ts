import { type Command, Option } from 'commander'
import { DISCOVERIES, type Discovery, discoveryProblem, NETWORKS, type NetworkKind } from '../topology.ts'

export const networkOption = () =>
  new Option('-n, --network <kind>', 'one bridge, a segment for each, or one bridge where only vm1 reaches the origin')
    .choices(NETWORKS)
    .default('lan')

/** Nobody is kept from the origin where vm1 is the only machine. */
export const networkOfOne = () =>
  new Option('-n, --network <kind>', 'one bridge with the origin, or a segment for each')
    .choices(NETWORKS.filter((network) => network !== 'isolated-origin'))
    .default('lan')

export const discoveryOption = () =>
  new Option('-d, --discovery <way>', 'how machines find providers; auto is mdns and dht')
    .choices(DISCOVERIES)
    .default('mdns')

/** Ends the program with exit code 2 where network and discovery do not go together. */
export function checkDiscovery(command: Command, network: NetworkKind, discovery: Discovery): void {
  const problem = discoveryProblem(network, discovery)
  if (problem !== undefined) command.error(`error: ${problem}`)
}
