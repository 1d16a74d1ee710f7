import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Arch } from './arch.ts'
import { artifactFiles } from './artifact-files.ts'
import { generateManifest } from './generate-manifest.ts'
import { artifactsOf, MANIFEST_FILE, parseManifest, sha256Of } from './manifest.ts'
import { readProviderFile, type ServedRoot, type SetPlace } from './served-root.ts'
import { storePaths } from './store-layout.ts'
import { buildInfo } from './version.ts'

/** Below this much room the provider still serves, and says that its disk is full. */
const LOW_SPACE_BYTES = 16 * 1024 * 1024
/** A manifest made on the fly claims nothing for longer than this. */
const MADE_FOR_MS = 24 * 3600 * 1000

export interface Health {
  readonly status: 'healthy' | 'unhealthy'
  readonly checks: { readonly artifacts_readable: boolean; readonly disk_space_ok: boolean }
}

/** What a running provider knows about itself: counters, health, and the documents that it answers with. */
export interface ProviderState {
  readonly log: Logger
  countRequest(): void
  countBytes(bytes: number): void
  /** A slot for a transfer, given back by calling the result; undefined when all are taken. */
  beginTransfer(most: number): (() => void) | undefined
  runningTransfers(): number
  index(): object
  health(root: ServedRoot): Promise<Health>
  status(root: ServedRoot): Promise<object>
  roles(place: SetPlace): Promise<readonly string[]>
  /** The manifest of a directory that has none (INTEROP: the Rust server always makes it), remembered until it changes. */
  madeManifest(place: SetPlace): Promise<Uint8Array | undefined>
}

export function createProviderState(about: { channel: string; arch: Arch; log: Logger }): ProviderState {
  const startedAt = Date.now()
  let requests = 0
  let bytesServed = 0
  let transfers = 0
  const uptime = () => Math.floor((Date.now() - startedAt) / 1000)
  const index = () => ({
    name: 'plasmd-provider',
    version: buildInfo().version,
    channel: about.channel,
    arch: about.arch,
    uptime_seconds: uptime(),
  })
  const health = async (root: ServedRoot): Promise<Health> => {
    const [readable, space] = await Promise.all([artifactsReadable(root), spaceLeft(root.path)])
    const checks = { artifacts_readable: readable, disk_space_ok: space >= LOW_SPACE_BYTES }
    return { status: readable ? 'healthy' : 'unhealthy', checks }
  }
  return {
    log: about.log,
    countRequest: () => {
      requests += 1
    },
    countBytes: (bytes) => {
      bytesServed += bytes
    },
    beginTransfer(most) {
      if (transfers >= most) return undefined
      transfers += 1
      return () => {
        transfers -= 1
      }
    },
    runningTransfers: () => transfers,
    index,
    health,
    async status(root) {
      const { status, checks } = await health(root)
      const provider = await readProviderFile(storePaths(root.path).provider)
      return {
        ...index(),
        health: { status, ...checks },
        metrics: { requests_total: requests, bytes_served_total: bytesServed },
        pid: process.pid,
        ...provider,
        sets: await Promise.all((await root.sets()).map((place) => describeSet(root, place))),
      }
    },
    roles: async (place) => [...(await artifactFiles(place.dir)).keys()],
    async madeManifest(place) {
      const now = new Date()
      const release = {
        ...place,
        version: buildInfo().version,
        sequence: 0,
        createdAt: now,
        expiresAt: new Date(+now + MADE_FOR_MS),
      }
      return generateManifest(place.dir, release).catch(() => undefined)
    },
  }
}

/** Every set has its artifacts at the size that its manifest says. An empty root is healthy: nothing is wrong with it. */
async function artifactsReadable(root: ServedRoot): Promise<boolean> {
  try {
    for (const place of await root.sets()) {
      const bytes = await readDocument(root, place)
      if (!bytes) continue
      for (const { filename, size_bytes } of artifactsOf(parseManifest(bytes))) {
        const file = await root.open(place, filename)
        await file?.handle.close()
        if (file?.size !== size_bytes) return false
      }
    }
    return true
  } catch {
    return false
  }
}

async function readDocument(root: ServedRoot, place: SetPlace): Promise<Buffer | undefined> {
  const file = await root.open(place, MANIFEST_FILE)
  if (!file) return undefined
  try {
    return await file.handle.readFile()
  } finally {
    await file.handle.close()
  }
}

async function describeSet(root: ServedRoot, { channel, arch, dir }: SetPlace): Promise<object> {
  const bytes = await readDocument(root, { channel, arch, dir }).catch(() => undefined)
  if (!bytes) return { channel, arch, version: null, sequence: null, manifest_digest: null }
  try {
    const { version, sequence } = parseManifest(bytes)
    return { channel, arch, version, sequence, manifest_digest: sha256Of(bytes) }
  } catch {
    return { channel, arch, version: null, sequence: null, manifest_digest: sha256Of(bytes) }
  }
}

async function spaceLeft(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(join(path))
  return bavail * bsize
}
