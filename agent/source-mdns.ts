import { browseLinks } from '../service/mdns-browse.ts'
import type { AgentConfig } from './config.ts'
import { judgeInstance } from './judge-instance.ts'
import type { Source } from './source.ts'

/**
 * Those who advertise themselves on this machine's links.
 * @param addresses whose links are browsed
 */
export function linkProviders(
  config: Pick<AgentConfig, 'channel' | 'arch'>,
  addresses: () => ReadonlySet<string>,
): Source {
  return (consider, signal) =>
    browseLinks(addresses, (instance) => consider(judgeInstance(instance, config, addresses())), signal)
}
