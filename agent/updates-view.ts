import { age } from './age.ts'
import { mib, short } from './log-lines.ts'
import type { UpdateStatus } from './status-file.ts'
import type { BadSet } from './trial-file.ts'

/** What is known of newer sets, in one sentence. @param now milliseconds since the epoch */
export function updatesText({ lastLook, newest, fetching }: UpdateStatus, now: number): string {
  if (fetching) {
    const { from, bytes, totalBytes } = fetching
    return `fetching ${newest ? `sequence ${newest.sequence} ` : ''}from ${from}, ${mib(bytes)} of ${mib(totalBytes)} MiB`
  }
  if (!lastLook) return 'not looked for yet'
  const { at, found, refused, error } = lastLook
  const looked = `looked ${age(at, now)} ago`
  if (error?.code === 'no-provider') return `no other provider is in reach; ${looked}`
  const there = newest
    ? `sequence ${newest.sequence} (${newest.version}) is at ${newest.providers.join(', ')}`
    : `none at ${found} other provider${found === 1 ? '' : 's'}`
  const wrong = error ? `; not taken: ${error.message} [${error.code}]` : ''
  return `${there}${wrong}${turnedDown(refused)}; ${looked}`
}

/** One that was booted in vain. */
export function badText({ digest, at, reason }: BadSet, now: number): string {
  return `${short(digest)}: ${reason}, ${age(at, now)} ago; never taken again`
}

function turnedDown([first, ...others]: NonNullable<UpdateStatus['lastLook']>['refused']): string {
  if (!first) return ''
  return `; turned down ${first.url}: ${first.reason}${others.length > 0 ? `, and ${others.length} more` : ''}`
}
