import { createHash } from 'node:crypto'
import { hostname, networkInterfaces } from 'node:os'

/** Longest DNS label, octets (RFC 1035, 2.3.4). */
export const LABEL_MAX = 63
const TAG_HEX = 8

/** A text as one host name label: letters, digits, inner dashes (RFC 1123, 2.1), lower case, at most `max` long. Pure. */
export function hostLabel(text: string, max = LABEL_MAX): string {
  const dashed = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
  return dashed.slice(0, max).replace(/-+$/, '') || 'host'
}

/** First label of this machine's host name. */
export function ownLabel(): string {
  return hostLabel(hostname().split('.')[0] ?? '')
}

/** Of the interfaces that were there at first: when one comes or goes later, the name stays. */
let macs: readonly string[] | undefined

const macsOf = (interfaces: ReturnType<typeof networkInterfaces>): readonly string[] =>
  [...new Set(Object.values(interfaces).flatMap((all) => (all ?? []).map(({ mac }) => mac)))].sort()

/**
 * A host name for the address records of one advertisement. It is nobody else's: not that of an mDNS responder that already
 * publishes this machine's plain name, not that of a second provider here, not that of another machine called the same.
 */
export function uniqueHostLabel(...distinguish: readonly string[]): string {
  macs ??= macsOf(networkInterfaces())
  const tag = createHash('sha256')
    .update(JSON.stringify([macs, distinguish]))
    .digest('hex')
  return `${hostLabel(ownLabel(), LABEL_MAX - TAG_HEX - 1)}-${tag.slice(0, TAG_HEX)}`
}
