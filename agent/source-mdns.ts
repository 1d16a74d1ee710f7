import { type BrowseCounts, browseLinks } from '../service/mdns-browse.ts'
import type { AgentConfig } from './config.ts'
import { judgeInstance } from './judge-instance.ts'
import type { Source } from './source.ts'

/**
 * Those who advertise themselves on this machine's links. One that says goodbye, or whose records end, is told of as rejected.
 * @param addresses whose links are browsed
 * @param counts of what came that was no use, kept up to date
 */
export function linkProviders(
  config: Pick<AgentConfig, 'channel' | 'arch'>,
  addresses: () => ReadonlySet<string>,
  counts?: BrowseCounts,
): Source {
  return (consider, signal) =>
    browseLinks({
      addresses,
      onFound: (instance) => consider(judgeInstance(instance, config, addresses())),
      onGone: (instance, why) => consider({ ...judgeInstance(instance, config, addresses()), reason: why }),
      signal,
      ...(counts ? { counts } : {}),
    })
}
