import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { artifactsOf } from '../service/manifest.ts'
import { ownAddresses } from '../service/own-addresses.ts'
import { buildInfo } from '../service/version.ts'
import type { Identity } from './adopt-identity.ts'
import type { BootRecord } from './boot-record.ts'
import type { AgentConfig } from './config.ts'
import { readDiskRoom } from './disk-room.ts'
import type { AgentEvent } from './events.ts'
import { readMemory } from './memory.ts'
import type { StoredSet } from './publish.ts'
import type { Status } from './status-file.ts'
import type { EventSink } from './steps.ts'

/** A reader may count on a file that is no older; it also shows that the agent lives. */
const EVERY_MS = 5000
/** Changes that come together are written together. */
const GATHER_MS = 100

/** What the file says beyond events, asked for when it is written. */
export interface StatusSources {
  readonly config: AgentConfig
  readonly identity: Pick<Identity, 'peerId' | 'links'>
  readonly plasmd: () => Status['plasmd']
  readonly lastReport: () => Status['lastReport']
  readonly lowestAvailableMiB: () => number
}

export interface StatusWriter {
  readonly sink: EventSink
  /** What is served; undefined when nothing is. */
  serving(served: { readonly set: StoredSet; readonly record: BootRecord } | undefined): void
  advertising(yes: boolean): void
  updates(known: Status['updates']): void
  /** Something in the sources changed. */
  changed(): void
  /** Writes a last time. */
  stop(): void
}

type Told = Pick<Status, 'step' | 'ready' | 'notReadyBecause' | 'lastError' | 'advertising' | 'updates'> & {
  readonly served: { readonly set: StoredSet; readonly record: BootRecord } | undefined
}

/** Keeps the status file: no secrets, readable by everyone, replaced whole. A file that cannot be written is left alone. */
export function createStatusWriter(file: string, bootId: string, sources: StatusSources): StatusWriter {
  const startedAt = new Date(performance.timeOrigin).toISOString()
  let told: Told = {
    step: 'config',
    ready: false,
    notReadyBecause: 'the agent is starting',
    lastError: null,
    advertising: false,
    updates: null,
    served: undefined,
  }
  let gathering: NodeJS.Timeout | undefined
  const write = () => {
    clearTimeout(gathering)
    gathering = undefined
    replaceFile(file, `${JSON.stringify(statusOf(told, sources, { bootId, startedAt }), null, 2)}\n`)
  }
  const soon = () => {
    gathering ??= setTimeout(write, GATHER_MS)
  }
  const timer = setInterval(write, EVERY_MS)
  const change = (part: Partial<Told>) => {
    told = { ...told, ...part }
    soon()
  }
  return {
    sink(event) {
      change(learnt(event))
      // Who is told that a machine is ready may ask for its status at once.
      if (event.type === 'ready' || event.type === 'not-ready') write()
    },
    serving: (served) => change({ served }),
    advertising: (advertising) => change({ advertising }),
    updates: (updates) => change({ updates }),
    changed: soon,
    stop() {
      clearInterval(timer)
      write()
    },
  }
}

function learnt(event: AgentEvent): Partial<Told> {
  // Runs beside `watch`, and says in `updates` how it went.
  if ('step' in event && event.step === 'update') return {}
  switch (event.type) {
    case 'step-started':
      return { step: event.step }
    case 'step-failed':
      return { lastError: { ...event.error, step: event.step } }
    case 'ready':
      return { ready: true, notReadyBecause: null, lastError: null }
    case 'not-ready':
      return { ready: false, notReadyBecause: event.reason }
    default:
      return {}
  }
}

function statusOf(told: Told, sources: StatusSources, process_: { bootId: string; startedAt: string }): Status {
  const { config, identity } = sources
  const { served, ...rest } = told
  const { version, commit } = buildInfo()
  return {
    version: 1,
    agent: { version, commit, pid: process.pid, startedAt: process_.startedAt },
    machine: config.machine,
    addresses: [...ownAddresses()],
    runId: config.runId,
    peerId: identity.peerId,
    lineage: identity.links,
    bootId: process_.bootId,
    stage: 'serve',
    ...rest,
    record: served?.record ?? null,
    artifacts: served
      ? artifactsOf(served.set.verified.manifest).map(({ role, filename, size_bytes, hash }) => ({
          role,
          filename,
          bytes: size_bytes,
          hash,
        }))
      : [],
    plasmd: sources.plasmd(),
    lastReport: sources.lastReport(),
    memory: {
      ...readMemory(),
      lowestAvailableMiB: Math.min(
        sources.lowestAvailableMiB(),
        served?.record.lowestAvailableMiB ?? Number.POSITIVE_INFINITY,
      ),
      budget: served?.record.budget ?? null,
    },
    disk: readDiskRoom(),
    updatedAt: new Date().toISOString(),
  }
}

function replaceFile(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(`${file}.new`, text, { mode: 0o644 })
    renameSync(`${file}.new`, file)
  } catch {
    // Status is for readers; serving goes on without it.
  }
}
