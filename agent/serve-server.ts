import { join } from 'node:path'
import type { AgentLog } from './log.ts'
import { readBootId } from './make-record.ts'
import { watchMemory } from './memory.ts'
import type { StoredSet } from './publish.ts'
import { createReporter } from './report.ts'
import { createSelfCheck } from './self-check.ts'
import type { ServeSetting, Told } from './serve-setting.ts'
import type { ServiceOwner } from './service-owner.ts'
import type { Status } from './status-file.ts'
import { createStatusWriter, type StatusWriter } from './status-writer.ts'
import type { EventSink, StepRunner } from './steps.ts'
import type { TrialWatch } from './trial-watch.ts'
import { createWake, type Wake } from './wake.ts'

const MEMORY_EVERY_MS = 500

/** What lasts while the agent serves, whatever set it is. */
export interface Server {
  readonly setting: ServeSetting
  readonly told: Told
  readonly run: StepRunner
  readonly log: AgentLog
  readonly stop: AbortSignal
  readonly bootId: string
  readonly trial: TrialWatch
  readonly owner: ServiceOwner
  readonly status: StatusWriter
  readonly selfCheck: (set: StoredSet) => Promise<void>
  /** Woken by everything that may change readiness. */
  readonly wake: Wake
  /** Status file and reports. */
  readonly sink: EventSink
  lowestAvailableMiB(): number
  /** Says why this machine is not ready, once for each reason. */
  notReady(reason: string): void
  /** Hands in what is to be reported, for at most so long. */
  flush(milliseconds: number): Promise<void>
  /** Ends plasmd and hands in what is still to be reported, for at most so long. */
  close(reportsMs: number): Promise<void>
}

export function openServer(
  setting: ServeSetting,
  told: Told,
  owner: ServiceOwner,
  run: StepRunner,
  log: AgentLog,
  stop: AbortSignal,
  trial: TrialWatch,
): Server {
  const { config } = told
  const { runDirectory } = setting
  const bootId = readBootId()
  const reporter = createReporter({
    url: config.reportUrl,
    token: config.token,
    runId: config.runId,
    machine: config.machine,
    peerId: told.identity.peerId,
    bootId,
    say: log.say,
    sequenceFile: join(runDirectory, 'report-seq'),
  })
  const url = `http://127.0.0.1:${config.port}`
  const memory = watchMemory(MEMORY_EVERY_MS)
  const status = createStatusWriter(join(runDirectory, 'status.json'), bootId, {
    config,
    identity: told.identity,
    plasmd: () => (config.mode === 'private' ? null : plasmdStatus(owner, url, told.foreignPlasmd)),
    lastReport: reporter.lastReport,
    lowestAvailableMiB: memory.lowestAvailableMiB,
  })
  const wake = createWake()
  owner.onChange(() => {
    status.changed()
    wake.wake()
  })
  stop.addEventListener('abort', wake.wake)
  let said: string | undefined
  return {
    setting,
    told,
    run,
    log,
    stop,
    bootId,
    trial,
    owner,
    status,
    selfCheck: createSelfCheck(url, { foreign: told.foreignPlasmd, rereadEvery: setting.rereadEvery }),
    wake,
    lowestAvailableMiB: memory.lowestAvailableMiB,
    sink(event) {
      if (event.type === 'ready') said = undefined
      status.sink(event)
      reporter.sink(event)
    },
    notReady(reason) {
      if (reason === said) return
      said = reason
      run.emit({ type: 'not-ready', reason })
    },
    flush: reporter.flush,
    async close(reportsMs) {
      await owner.stop()
      await reporter.flush(reportsMs)
      memory.stop()
      status.stop()
    },
  }
}

function plasmdStatus(owner: ServiceOwner, url: string, foreign: boolean): Status['plasmd'] {
  return { ...owner.view(), url, managedBy: owner.managedBy, foreign }
}
