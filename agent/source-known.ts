import { isOnOwnLink } from '../service/own-links.ts'
import { hostAndPort } from '../service/url-host.ts'
import type { AgentConfig } from './config.ts'
import { readRecord } from './record-file.ts'
import type { Source } from './source.ts'
import { whenItListens } from './source-static.ts'

/**
 * The provider that this machine booted from before, as the boot record of its data disk says: where nobody advertises it any
 * more, it may be there all the same. In mode `local` only where no router is between. Where it is not there at the end of the
 * search, it is told of as rejected: until then it may yet come, or the network.
 */
export function knownProvider({ storeRoot, mode }: Pick<AgentConfig, 'storeRoot' | 'mode'>): Source {
  return async (consider, signal) => {
    if (mode === 'private') return
    const provider = (await readRecord(storeRoot))?.provider
    const url = provider && URL.parse(provider.url)
    if (!provider || url?.protocol !== 'http:') return
    const mayBeAsked = () => mode === 'internet' || isOnOwnLink(hostAndPort(url).host)
    const { name, generation } = provider
    const known = { url: provider.url, source: 'known', name, generation } as const
    let reason: string | undefined = 'nothing has answered there'
    const listening = () => {
      reason = undefined
      consider(known)
    }
    await whenItListens(provider.url, mayBeAsked, signal, listening, (problem) => {
      reason = problem
    })
    if (reason !== undefined) consider({ ...known, reason })
  }
}
