import { chmod, rename } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { setBytes } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import type { BootRecord } from './boot-record.ts'
import { exists, type StoredSet } from './publish.ts'
import { PRIVATE_FILE, PUBLIC_FILE, readRegular, writeWhole } from './store-files.ts'

const RECORD_MAX_BYTES = 1024 * 1024

/** Beside the sets and hidden: never served. */
export const recordFile = (root: string): string => join(root, '.boot-record.json')

/** What is read from a record here; the rest is passed on as it came. */
const recordSchema = v.looseObject({
  version: v.literal(1),
  machine: v.string(),
  generation: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  provider: v.looseObject({ url: v.string(), generation: v.number(), discoveredBy: v.string() }),
  set: v.looseObject({ manifestDigest: v.string() }),
  budget: v.looseObject({ totalMiB: v.number() }),
  lowestAvailableMiB: v.number(),
})

/** Moves the record out of the handover directory. */
export async function keepRecord(root: string, handedOver: string): Promise<void> {
  if (!(await exists(handedOver))) return
  await chmod(handedOver, PRIVATE_FILE)
  await rename(handedOver, recordFile(root))
}

/** The record of this machine's boot; undefined when there is none or it is not one. A bad record must not stop serving. */
export const readRecord = (root: string): Promise<BootRecord | undefined> => readRecordIn(recordFile(root))

/** The same from any file. */
export async function readRecordIn(file: string): Promise<BootRecord | undefined> {
  try {
    const bytes = await readRegular(file, RECORD_MAX_BYTES)
    if (!bytes) return undefined
    const record: unknown = JSON.parse(bytes.toString('utf8'))
    return v.is(recordSchema, record) ? whole(record as unknown as BootRecord) : undefined
  } catch {
    return undefined
  }
}

/** The fetch stage may be an older one's, from before there were peer ids. */
function whole(record: BootRecord): BootRecord {
  const { peerId = null, provider, set } = record
  return {
    ...record,
    peerId,
    provider: { ...provider, peerId: provider.peerId ?? null, provenBy: provider.provenBy ?? null },
    set: { ...set, signedBy: set.signedBy ?? [] },
  }
}

export interface Bystander {
  readonly runId: string | null
  readonly machine: string
  readonly peerId: string
  readonly bootId: string
  /** The directory where a set was found that no boot record tells of: an inbox, or the store. */
  readonly directory: string
}

/**
 * The record for the set that is served. A set out of an inbox was fetched by another program: then the machine keeps its
 * own generation and lineage, or, where it has none, counts as booted from an origin (a provider that does not say is one).
 */
export function recordFor(set: StoredSet, stored: BootRecord | undefined, by: Bystander): BootRecord {
  if (stored?.set.manifestDigest === set.verified.digest) return stored
  const described = describe(set)
  if (stored) return { ...stored, set: described }
  return {
    version: 1,
    runId: by.runId,
    machine: by.machine,
    peerId: by.peerId,
    generation: 1,
    provider: {
      url: `file://${by.directory}`,
      name: null,
      generation: 0,
      discoveredBy: 'static',
      peerId: null,
      provenBy: null,
    },
    set: described,
    handover: 'refetch',
    budget: { totalMiB: 0, availableMiB: 0, needMiB: 0, rootfsFreeMiB: 0, initrdMiB: 0, kernelMiB: 0 },
    lowestAvailableMiB: Number.MAX_SAFE_INTEGER,
    fetchBootId: by.bootId,
    bootNonce: '',
    candidates: [],
    timings: [],
  }
}

function describe({ verified: { manifest, digest, signedBy } }: StoredSet): BootRecord['set'] {
  const { channel, arch, version, sequence } = manifest
  return { manifestDigest: digest, channel, arch, version, sequence, bytes: setBytes(manifest), signedBy }
}

export async function writeRecord(root: string, record: BootRecord): Promise<void> {
  await writeWhole(recordFile(root), `${JSON.stringify(record)}\n`, PRIVATE_FILE)
}

/** Tells plasmd who it is (service/store-layout.ts): clients rank by it. */
export async function writeProviderFile(root: string, { machine, generation }: BootRecord): Promise<void> {
  const file = storePaths(root).provider
  const text = `${JSON.stringify({ machine, generation })}\n`
  // A store that cannot be written to can still be served.
  const written = await readRegular(file, RECORD_MAX_BYTES).catch(() => undefined)
  if (written?.toString('utf8') === text) return
  await writeWhole(file, text, PUBLIC_FILE)
}
