import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpClient, openClient } from '../service/http-client.ts'
import { type AgentEvent, type Report, SIGNATURE_HEADER, type TimedEvent } from './events.ts'
import { enqueue } from './report-queue.ts'
import { sequenceOf } from './report-sequence.ts'
import type { Status } from './status-file.ts'
import type { EventSink } from './steps.ts'
import { createWake } from './wake.ts'

const QUEUE_LIMIT = 256
/**
 * Events gather for so long before they are posted together: in a guest under emulation each post takes tens of
 * milliseconds of the processor that boots it.
 */
const GATHER_MS = 500
/** What somebody waits for is posted at once, with all that is before it. */
const URGENT: ReadonlySet<AgentEvent['type']> = new Set(['kexec', 'ready', 'not-ready', 'step-failed'])
const POST_TIMEOUT_MS = 2000
const CLIENT_LIMITS = { headersTimeout: POST_TIMEOUT_MS, bodyTimeout: POST_TIMEOUT_MS }
const BACKOFF_FIRST_MS = 250
const BACKOFF_LAST_MS = 5000

export interface ReporterOptions {
  /** `plasm.report=`; null: nothing is reported. */
  readonly url: string | null
  /** `plasm.token=`; null: reports go unsigned. */
  readonly token: string | null
  readonly runId: string | null
  readonly machine: string
  readonly peerId: string | null
  readonly bootId: string
  /** Told once when the harness stops answering, and once when it answers again. */
  readonly say?: (message: string) => void
  readonly sequenceFile?: string
}

export interface Reporter {
  /** Queues; never blocks, never throws. */
  readonly sink: EventSink
  /** Waits until everything queued is delivered, at most so long. */
  flush(milliseconds: number): Promise<void>
  /** What became of the last report that was tried. */
  lastReport(): Status['lastReport']
}

/** Posts the events in order, at least once: a report whose answer is lost is sent again under the same `seq`. */
export function createReporter(options: ReporterOptions): Reporter {
  const { url, say = (message) => console.error(`plasm-agent: ${message}`) } = options
  if (url === null) return { sink: () => {}, flush: async () => {}, lastReport: () => null }

  const nextSeq = sequenceOf(options.bootId, options.sequenceFile)
  let queue: readonly TimedEvent[] = []
  const hurry = createWake()
  let sending: Promise<void> | undefined
  let last: Status['lastReport'] = null
  let unreachable = false
  let client: Promise<HttpClient> | undefined

  const note = (type: AgentEvent['type'], error: string | null) => {
    last = { at: new Date().toISOString(), type, delivered: error === null, error }
    if ((error !== null) === unreachable) return
    unreachable = error !== null
    say(unreachable ? `reports do not reach ${url}: ${error}` : `reports reach ${url} again`)
  }
  const sendAll = async () => {
    while (queue.length > 0) {
      await hurry.wait(GATHER_MS)
      const events = queue
      queue = []
      const body = JSON.stringify(reportOf(options, events, nextSeq()))
      for (let wait = BACKOFF_FIRST_MS; ; wait = Math.min(wait * 2, BACKOFF_LAST_MS)) {
        client ??= openClient(new URL(url).origin, CLIENT_LIMITS)
        const { error, final } = await post(await client, url, body, options.token)
        note(events.at(-1)!.event.type, error)
        if (final) break
        await sleep(wait, undefined, { ref: false })
      }
    }
    sending = undefined
  }
  return {
    sink(event) {
      queue = enqueue(queue, { event, uptime: uptime() }, QUEUE_LIMIT)
      sending ??= sendAll()
      if (URGENT.has(event.type)) hurry.wake()
    },
    async flush(milliseconds) {
      hurry.wake()
      const deadline = new AbortController()
      await Promise.race([sending, sleep(milliseconds, undefined, { signal: deadline.signal })])
      deadline.abort()
    },
    lastReport: () => last,
  }
}

function reportOf(
  { runId, machine, peerId, bootId }: ReporterOptions,
  events: readonly TimedEvent[],
  seq: number,
): Report {
  return { version: 1, runId, machine, peerId, bootId, seq, events }
}

/** `final`: delivered, or refused in a way that sending it again would not change. */
async function post(
  client: HttpClient,
  url: string,
  body: string,
  token: string | null,
): Promise<{ error: string | null; final: boolean }> {
  try {
    const { pathname, search } = new URL(url)
    const answer = await client.request({
      method: 'POST',
      path: `${pathname}${search}`,
      body,
      headers: { 'content-type': 'application/json', ...signature(body, token) },
      signal: AbortSignal.timeout(POST_TIMEOUT_MS),
    })
    await answer.body.dump()
    const { statusCode } = answer
    if (statusCode < 300) return { error: null, final: true }
    const mayPass = statusCode >= 500 || statusCode === 408 || statusCode === 429
    return { error: `it answers ${statusCode}`, final: !mayPass }
  } catch (thrown) {
    return { error: (thrown as Error).message || String((thrown as NodeJS.ErrnoException).code), final: false }
  }
}

function signature(body: string, token: string | null): Record<string, string> {
  if (token === null) return {}
  return { [SIGNATURE_HEADER]: `sha256=${createHmac('sha256', token).update(body).digest('hex')}` }
}

function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'latin1').split(' ', 1)[0])
}
