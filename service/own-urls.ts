import { ownAddresses } from './own-addresses.ts'
import { hostInUrl } from './url-host.ts'

/** Base URLs by which others reach what listens on an address: on all of this machine where it is any. None has the scope of a link. */
export function ownUrls(bind: string, port: number, own: ReadonlySet<string> = ownAddresses()): readonly string[] {
  if (bind !== '0.0.0.0' && bind !== '::') return [`http://${hostInUrl(bind)}:${port}`]
  const usable = [...own].filter((address) => !address.includes('%') && (bind === '::' || !address.includes(':')))
  return usable.map((address) => `http://${hostInUrl(address)}:${port}`)
}
