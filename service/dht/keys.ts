import { type Arch, archNames } from '../arch.ts'

/** What every key of ours begins with; libp2p picks validators and selectors by its first part. */
export const KEY_NAMESPACE = 'phase'
/** Longer than any channel and arch make it. */
export const KEY_MAX_BYTES = 256
const OUR_HEAD = Buffer.from(`/${KEY_NAMESPACE}/`)

/** What a provider of one channel and arch is found by: record keys, the same for the value and for provider records. */
export interface RecordKey {
  /** The arch by the name that is in the key. */
  readonly archName: string
  /** UTF-8 of `/phase/<channel>/<arch>/manifest` (INTEROP: discovery). */
  readonly bytes: Uint8Array
}

/** One for every name of the arch: Phase Boot's init asks for what `uname -m` says, others for what the directory is called. */
export function recordKeys(channel: string, arch: Arch): readonly RecordKey[] {
  return archNames(arch).map((archName) => ({ archName, bytes: recordKey(channel, archName) }))
}

export function recordKey(channel: string, archName: string): Uint8Array {
  return Buffer.from(`/${KEY_NAMESPACE}/${channel}/${archName}/manifest`)
}

/** Channel and arch name in a record key, or undefined where it is none. */
export function parseRecordKey(bytes: Uint8Array): { readonly channel: string; readonly archName: string } | undefined {
  if (bytes.length > KEY_MAX_BYTES) return undefined
  const [empty, namespace, channel, archName, last, ...more] = Buffer.from(bytes).toString('utf8').split('/')
  if (empty !== '' || namespace !== KEY_NAMESPACE || last !== 'manifest' || more.length > 0) return undefined
  return channel && archName ? { channel, archName } : undefined
}

/** Whether bytes are a key of ours, and no multihash: none begins with a slash (0x2f). */
export function isOurKey(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, OUR_HEAD.length)).equals(OUR_HEAD)
}
