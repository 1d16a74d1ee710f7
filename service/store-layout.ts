import { join } from 'node:path'

/** Where a machine keeps and serves what it booted from (the served root of `plasmd serve`). */
export const STORE_ROOT = '/var/lib/plasm/boot-artifacts'

/**
 * Names inside the store (DESIGN decision 4 and 7). Everything that starts with a dot is hidden: never listed, never
 * reachable by a URL of its own.
 *
 *     <root>/<channel>/<arch>          relative symlink to ../.sets/<digest hex>
 *     <root>/<channel>/.previous-<arch>  the same for the set that was served before it
 *     <root>/.sets/<digest hex>/       one whole boot set: manifest.json, manifest.dsse.json where it is
 *                                      signed, and the artifacts under their file names
 *     <root>/.sets/.incoming-<id>/     a set being written; renamed when it is whole and synced
 *     <root>/.handover/                what kexec handed over, under fixed names: see agent/handover-layout.ts
 *     <root>/.node-key                 Ed25519 seed of the machine that serves this root: 32 bytes, mode 0600
 *     <root>/.lineage.json             boot receipts, this machine's own first, then its provider's, …; absent on an origin
 *     <root>/.provider.json            optional {"machine","generation"}: what `plasmd` adds to GET /status; absent on an origin
 */
export const storePaths = (root: string) => ({
  sets: join(root, '.sets'),
  set: (digest: string) => join(root, '.sets', digest.replace(/^sha256:/, '')),
  link: (channel: string, arch: string) => join(root, channel, arch),
  previous: (channel: string, arch: string) => join(root, channel, `.previous-${arch}`),
  handover: join(root, '.handover'),
  provider: join(root, '.provider.json'),
  nodeKey: join(root, '.node-key'),
  lineage: join(root, '.lineage.json'),
})
