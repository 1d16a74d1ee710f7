import { createWriteStream } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type AgentEvent, type Report, SIGNATURE_HEADER } from '../agent/events.ts'
import { type Checked, checkReport, type Enrolled, type LastReport } from './report-check.ts'

const MAX_BODY_BYTES = 1024 * 1024

/** An event of a verified report, and when that came (milliseconds of `performance.now()`). */
export interface Received {
  readonly at: number
  readonly bootId: Report['bootId']
  /** By the machine's own clock: seconds since its kernel started. */
  readonly uptime: number
  readonly event: AgentEvent
}

export interface ReportServer extends AsyncDisposable {
  readonly url: string
  /** From now on this machine's reports are accepted, and their events told to `onEvent`, in order. */
  enrol(machine: Enrolled, onEvent: (received: Received) => void): void
  /** The peer id that a machine's first signed report with one bound to it. */
  peerOf(runId: string): string | null
}

/** Takes the machines' reports on the harness's address and keeps all of them, refused ones too, in reports.jsonl. */
export async function openReportServer(address: string, runDir: string): Promise<ReportServer> {
  const machines: Array<Enrolled & { onEvent(received: Received): void }> = []
  const last = new Map<string, LastReport>()
  const peers = new Map<string, string>()
  const journal = createWriteStream(join(runDir, 'reports.jsonl'), { flags: 'a' })

  const take = (body: Buffer, request: IncomingMessage): Checked => {
    const signature = request.headers[SIGNATURE_HEADER]?.toString()
    const from = request.socket.remoteAddress ?? ''
    const lastOf = (run: string, boot: string) => last.get(`${run} ${boot}`)
    const checked = checkReport({ body, signature, from }, machines, lastOf, peers)
    const verdict = checked.kind === 'refused' ? checked.why : checked.kind
    journal.write(`${JSON.stringify({ at: new Date().toISOString(), from, verdict, body: body.toString('utf8') })}\n`)
    if (checked.kind !== 'accepted') return checked
    const { report, machine, digest } = checked
    last.set(`${machine.runId} ${report.bootId}`, { seq: report.seq, digest })
    if (report.peerId) peers.set(machine.runId, report.peerId)
    const at = performance.now()
    const { onEvent } = machines.find(({ runId }) => runId === machine.runId)!
    for (const { event, uptime } of report.events) onEvent({ at, bootId: report.bootId, uptime, event })
    return checked
  }

  const server = createServer(async (request, response) => {
    try {
      const body = await readBody(request)
      if (!body) return void response.writeHead(413).end()
      const checked = take(body, request)
      if (checked.kind === 'refused') response.writeHead(checked.why === 'forged' ? 403 : 409).end(`${checked.why}\n`)
      else response.writeHead(204).end()
    } catch {
      // The machine hung up, which kexec does.
      response.destroy()
    }
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, address, resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${address}:${port}/report`,
    enrol: (machine, onEvent) => void machines.push({ ...machine, onEvent }),
    peerOf: (runId) => peers.get(runId) ?? null,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await new Promise<void>((resolve) => journal.end(resolve))
    },
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}
