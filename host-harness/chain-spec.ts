import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arch } from '../service/arch.ts'
import { ENVELOPE_FILE, MANIFEST_PAYLOAD_TYPE, parseEnvelope } from '../service/dsse.ts'
import { MANIFEST_FILE, type Manifest, parseManifest, parsePayload, setBytes, sha256Of } from '../service/manifest.ts'
import type { ChainResult } from './result.ts'
import type { Rootfs } from './rootfs.ts'
import type { Discovery, NetworkKind } from './topology.ts'

/** `all`: every provider goes on serving. `last`: once a machine is ready, everything before it is stopped. */
export type ProvidersLeft = 'all' | 'last'

export interface ChainOptions {
  readonly generations: number
  readonly arch: Arch
  readonly memoryMiB: number
  readonly rootfs: Rootfs
  /** Size of the blank disk that each machine gets, bytes; absent: none. */
  readonly disk?: number | undefined
  readonly providers: ProvidersLeft
  readonly network: NetworkKind
  readonly discovery: Discovery
  /** For tests: publish without a signature, and boot images that take unsigned sets. */
  readonly unsigned: boolean
  /** A foreign program that the machines' images have as plasmd; the origin's is ours all the same. Absent: ours. */
  readonly plasmd?: string | undefined
  /** Leave the machines up after the result, until interrupted. */
  readonly keep: boolean
  /** Further words of the machines' kernel command line. */
  readonly parameters?: readonly string[]
}

/** All that the part of the harness inside the namespaces is told; JSON. */
export interface ChainSpec extends ChainOptions {
  readonly channel: string
  readonly runDir: string
  /** `<dir>/{kernel,initramfs}`: what every machine is started with. */
  readonly mediaDir: string
  /** `<dir>/<channel>/<arch>/`: what the origin serves. */
  readonly publishedDir: string
  /** Content of /etc/plasm/release in the published set and nowhere else. */
  readonly nonce: string
}

/** What the part inside tells the part outside; JSON lines. */
export type ChainEvent =
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'machine'; readonly name: string; readonly progress: MachineProgress }
  | { readonly type: 'console-tail'; readonly name: string; readonly log: string; readonly lines: readonly string[] }
  | { readonly type: 'result'; readonly result: ChainResult }

export interface MachineProgress {
  readonly state: 'running' | 'ready' | 'proven' | 'failed' | 'stopped'
  /** Where it is, in a few words. */
  readonly doing: string
  /** Seconds since its QEMU started. */
  readonly seconds: number
  readonly bytes?: number
  readonly totalBytes?: number
}

export type Emit = (event: ChainEvent) => void

/** The published set, as its files say. */
export interface PublishedSet {
  readonly manifest: Manifest
  readonly manifestDigest: string
  /** What every machine must hand on byte for byte: the envelope, or the plain manifest where nobody signed. */
  readonly document: { readonly file: string; readonly hash: string }
  readonly manifestBytes: number
  readonly setBytes: number
}

export async function readPublishedSet({ publishedDir, channel, arch, unsigned }: ChainSpec): Promise<PublishedSet> {
  const file = unsigned ? MANIFEST_FILE : ENVELOPE_FILE
  const bytes = await readFile(join(publishedDir, channel, arch, file))
  const payload = unsigned ? bytes : parseEnvelope(bytes, MANIFEST_PAYLOAD_TYPE).payload
  const manifest = unsigned ? parseManifest(bytes) : parsePayload(payload)
  return {
    manifest,
    manifestDigest: sha256Of(payload),
    document: { file, hash: sha256Of(bytes) },
    manifestBytes: bytes.length,
    setBytes: setBytes(manifest),
  }
}
