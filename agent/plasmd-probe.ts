import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { streamHttp } from './http-stream.ts'

const MOST_READS = 16

export interface Probe {
  /** Any answer to /health, a 503 too (unhealthy, not hung), or a 404 of a foreign plasmd. */
  readonly answered: boolean
  readonly bytesServed: number | null
  readonly requests: number | null
  /** Bytes the process has written, by the kernel's count: they move while a busy plasmd is slow to answer. */
  readonly written: number | null
}

/**
 * Asks a plasmd how it is. Never throws.
 * @param timeout ms, for each question
 * @param counters whether to ask for its counters too: while it starts nobody needs them, and readiness waits for this
 */
export async function probePlasmd(
  url: string,
  pid: number | null,
  { timeout, counters }: { timeout: number; counters: boolean },
): Promise<Probe> {
  const answered = (await get(`${url}/health`, timeout)) !== undefined
  const metrics = answered && counters ? metricsIn(await get(`${url}/status`, timeout)) : undefined
  return {
    answered,
    bytesServed: metrics?.bytes_served_total ?? null,
    requests: metrics?.requests_total ?? null,
    written: pid === null ? null : await writtenBy(pid),
  }
}

/** How many transfers a plasmd says are running; undefined where it does not say. */
export async function runningTransfers(url: string, timeout = 2000): Promise<number | undefined> {
  return metricsIn(await get(`${url}/status`, timeout))?.transfers_running
}

/** The answer's JSON; null when it is an answer and no JSON; undefined when there is none. */
async function get(url: string, silence: number): Promise<unknown> {
  const body: Buffer[] = []
  try {
    // Copied: the buffer is used again. What plasmd says about itself is short.
    const onBody = (data: Buffer) => body.length < MOST_READS && body.push(Buffer.from(data))
    const patience = { connectMs: silence, headersMs: silence, stallMs: silence }
    await streamHttp({ url, method: 'GET', patience, signal: AbortSignal.timeout(silence), onBody })
  } catch {
    return undefined
  }
  try {
    return JSON.parse(Buffer.concat(body).toString('utf8')) as unknown
  } catch {
    return null
  }
}

/** A foreign plasmd need not count. */
function metricsIn(
  status: unknown,
): { bytes_served_total?: number; requests_total?: number; transfers_running?: number } | undefined {
  const metrics = (status as { metrics?: Record<string, unknown> | null } | null | undefined)?.metrics ?? {}
  return Object.fromEntries(Object.entries(metrics).filter(([, count]) => typeof count === 'number'))
}

/** `wchar` of /proc/<pid>/io (kernel: Documentation/filesystems/proc.rst). */
async function writtenBy(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/io`, 'latin1').catch(() => '')
  const written = /^wchar: (\d+)$/m.exec(text)?.[1]
  return written === undefined ? null : Number(written)
}

/** Whether some other program listens on a port: what answers there would be taken for plasmd. */
export function portTaken(port: number): Promise<boolean> {
  return new Promise((taken) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => taken(error.code === 'EADDRINUSE'))
    server.listen(port, '0.0.0.0', () => server.close(() => taken(false)))
  })
}
