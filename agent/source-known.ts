import { isOnOwnLink } from '../service/own-links.ts'
import { hostAndPort } from '../service/url-host.ts'
import type { AgentConfig } from './config.ts'
import { readRecord } from './record-file.ts'
import type { Source } from './source.ts'
import { whenItListens } from './source-static.ts'

/**
 * The provider that this machine booted from before, as the boot record of its data disk says: where nobody advertises it any
 * more, it may be there all the same. In mode `local` only where no router is between.
 */
export function knownProvider({ storeRoot, mode }: Pick<AgentConfig, 'storeRoot' | 'mode'>): Source {
  return async (consider, signal) => {
    if (mode === 'private') return
    const provider = (await readRecord(storeRoot))?.provider
    const url = provider && URL.parse(provider.url)
    if (!provider || url?.protocol !== 'http:') return
    const mayBeAsked = () => mode === 'internet' || isOnOwnLink(hostAndPort(url).host)
    const { name, generation } = provider
    await whenItListens(provider.url, mayBeAsked, signal, () => {
      consider({ url: provider.url, source: 'known', name, generation })
    })
  }
}
