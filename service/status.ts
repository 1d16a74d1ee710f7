import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import type { Arch } from './arch.ts'
import { listSets, readManifest } from './boot-sets.ts'
import { health } from './health.ts'
import type { Site } from './site.ts'
import { storePaths } from './store-layout.ts'
import { buildInfo } from './version.ts'

const NAME = 'plasmd-provider'

/** `.provider.json` (store-layout.ts): which machine this is, and the generation it was booted as. */
const identitySchema = v.object({
  machine: v.nullish(v.string()),
  generation: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
})

/** Whose provider this is; nobody booted an origin, so one without the file is generation 0. */
export async function providerIdentity(root: string): Promise<{ machine?: string; generation: number }> {
  const text = await readFile(storePaths(root).provider, 'utf8').catch(() => '{}')
  const parsed = v.safeParse(identitySchema, jsonOrNull(text))
  const { machine, generation = 0 } = parsed.success ? parsed.output : {}
  return { ...(typeof machine !== 'string' ? {} : { machine }), generation }
}

/** `GET /` */
export function about(site: Site) {
  const { channel, arch } = site
  return { name: NAME, version: buildInfo().version, channel, arch, uptime_seconds: uptimeSeconds(site) }
}

/** `GET /status`; every key beyond INTEROP's is an addition. Names no path of this machine. */
export async function status(site: Site) {
  const [{ status, checks }, identity, sets, lineage] = await Promise.all([
    health(site.root),
    providerIdentity(site.root),
    servedSets(site.root),
    site.lineage(),
  ])
  return {
    ...about(site),
    ...identity,
    peer_id: site.key.peerId,
    pid: process.pid,
    health: { status, ...checks },
    metrics: {
      requests_total: site.metrics.requests,
      bytes_served_total: site.metrics.bytesServed,
      transfers_running: site.transfers.running(),
    },
    sets,
    /** Signed claims: the keys are real, whose they are is not said. */
    lineage: lineage?.links.map(({ provider, client }) => ({ provider, client })) ?? [],
  }
}

/** What is served, as it appears in `/status` and in advertisements. Nulls: no valid manifest lies there. */
export interface ServedSet {
  readonly channel: string
  readonly arch: Arch
  readonly version: string | null
  readonly sequence: number | null
  readonly manifest_digest: string | null
}

export async function servedSets(root: string): Promise<readonly ServedSet[]> {
  const sets: ServedSet[] = []
  for (const set of await listSets(root)) {
    const stored = await readManifest(root, set)
    sets.push({
      channel: set.channel,
      arch: set.arch,
      version: stored?.manifest?.version ?? null,
      sequence: stored?.manifest?.sequence ?? null,
      manifest_digest: stored?.digest ?? null,
    })
  }
  return sets
}

function uptimeSeconds({ startedAt }: Site): number {
  return Math.floor((performance.now() - startedAt) / 1000)
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
