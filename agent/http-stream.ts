import { connect } from 'node:net'

/** One read brings what lies in the socket, up to this. */
const BUFFER_BYTES = 512 * 1024
const HEAD_MAX_BYTES = 16 * 1024
const HEAD_END = '\r\n\r\n'

/** How long the other side may keep us waiting, ms. */
export interface Patience {
  readonly connectMs: number
  readonly headersMs: number
  /** Longest pause between two pieces of the body. */
  readonly stallMs: number
  /** Least that must come of the body in so long; absent: {@link PACE}. */
  readonly pace?: { readonly ms: number; readonly bytes: number }
}

/** Slower than any line that a set would be fetched by: who gives a byte now and then must not hold up a boot from others. */
const PACE = { ms: 30_000, bytes: 512 * 1024 }

export interface StreamRequest {
  readonly url: string
  /** Connected to instead of the URL's host (candidate.ts). */
  readonly reach?: string | undefined
  readonly method: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  readonly patience: Patience
  /** Ends it, whatever is going on. */
  readonly signal?: AbortSignal
  /** Told of the answer before its body. What it throws ends the request. */
  readonly onHead?: (answer: StreamAnswer) => void
  /** A part of the body, in a buffer that is used again: look at it at once or copy it. What it throws ends the request. */
  readonly onBody?: (data: Buffer) => void
}

export interface StreamAnswer {
  readonly status: number
  /** Content-Length, or undefined. */
  readonly length: number | undefined
  /** By lower-case name; several fields of one name are joined by a comma (RFC 9110, 5.3). */
  readonly headers: ReadonlyMap<string, string>
}

/**
 * One HTTP request for a large file, its body read through one buffer that is used again and again. Whole boot sets are read
 * so on the way to ready, by one emulated processor: node:http and undici make a buffer, a parser's run and a stream's turn
 * of every 64 KiB, which took more time than network, hashing and writing together. Asked as HTTP/1.0, a server may neither
 * keep the connection nor send chunks (RFC 9112, 7.1), so there is little to understand; redirects are not followed.
 * @throws Error when there is no answer, no whole answer, or none that can be understood; what the request's callbacks throw
 */
export function streamHttp(request: StreamRequest): Promise<StreamAnswer> {
  const { hostname, host, port } = new URL(request.url)
  const { connectMs, headersMs, stallMs, pace = PACE } = request.patience
  return new Promise((resolve, reject) => {
    let head = ''
    let answer: StreamAnswer | undefined
    let received = 0
    const isWhole = () => answer !== undefined && (request.method === 'HEAD' || received === answer.length)
    const take = (bytes: number, buffer: Uint8Array): boolean => {
      try {
        const data = Buffer.from(buffer.buffer, buffer.byteOffset, bytes)
        const body = answer ? data : afterHead(data)
        if (answer && request.method === 'GET') takeBody(body, answer)
        if (isWhole()) socket.destroy()
      } catch (thrown) {
        socket.destroy(thrown as Error)
      }
      return true
    }
    /** Collects the head. @returns what of the data is body */
    const afterHead = (data: Buffer): Buffer => {
      const before = head.length
      head += data.toString('latin1')
      const end = head.indexOf(HEAD_END)
      if (end < 0) {
        if (head.length > HEAD_MAX_BYTES) throw problem('sends a head without an end')
        return data.subarray(data.length)
      }
      answer = parseHead(head.slice(0, end))
      if (!answer) throw problem('does not answer in HTTP/1')
      wait(stallMs, 'sends nothing for')
      keepPace()
      request.onHead?.(answer)
      return data.subarray(end + HEAD_END.length - before)
    }
    const takeBody = (body: Buffer, { length }: StreamAnswer) => {
      received += body.length
      if (length !== undefined && received > length) throw problem('sends more than its Content-Length')
      if (body.length > 0) request.onBody?.(body)
    }
    const problem = (what: string) => new Error(`${host} ${what}`)
    let overdue = ''
    const wait = (milliseconds: number, what: string) => {
      overdue = `${what} ${milliseconds / 1000} s`
      socket.setTimeout(milliseconds)
    }
    let pacing: NodeJS.Timeout | undefined
    const keepPace = () => {
      let before = received
      pacing = setInterval(() => {
        if (received - before < pace.bytes)
          socket.destroy(problem(`sends less than ${pace.bytes} bytes in ${pace.ms / 1000} s`))
        before = received
      }, pace.ms)
    }

    const socket = connect({
      host: request.reach ?? hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || 80),
      onread: { buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES), callback: take },
      ...(request.signal ? { signal: request.signal } : {}),
    })
    wait(connectMs, 'cannot be connected to within')
    socket.once('connect', () => wait(headersMs, 'does not answer within'))
    socket.on('timeout', () => socket.destroy(problem(overdue)))
    socket.on('error', reject)
    socket.on('close', () => {
      clearInterval(pacing)
      const untilClose = answer !== undefined && answer.length === undefined
      if (answer && (isWhole() || untilClose)) resolve(answer)
      else reject(problem(`closed after ${received} of ${answer?.length ?? 'unknown'} bytes`))
    })
    socket.write(requestHead(request, host))
  })
}

function requestHead({ url, method, headers = {} }: StreamRequest, host: string): string {
  const { pathname, search } = new URL(url)
  const fields = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}`)
  return [`${method} ${pathname}${search} HTTP/1.0`, ...fields, '', ''].join('\r\n')
}

/** RFC 9112, sections 4 and 5. Undefined for what is no answer to HTTP/1.0. */
function parseHead(head: string): StreamAnswer | undefined {
  const [first = '', ...lines] = head.split('\r\n')
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]
  if (status === undefined) return undefined
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) return undefined
    const key = name.toLowerCase()
    headers.set(key, headers.has(key) ? `${headers.get(key)}, ${value}` : value)
  }
  const length = headers.get('content-length')
  if (headers.has('transfer-encoding') || (length !== undefined && !/^\d{1,15}$/.test(length))) return undefined
  return { status: Number(status), length: length === undefined ? undefined : Number(length), headers }
}
