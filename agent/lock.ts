import { createHash } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { PlasmError } from '../service/errors.ts'

/** How long a holder may take to say who it is. */
const ANSWER_MS = 1000

export interface Lock {
  release(): Promise<void>
}

/**
 * One agent at a time per store. Node has no flock; an abstract unix socket (unix(7)) is bound by one process at most, and
 * the kernel frees it when that process is gone, however it went. Whoever connects is told the holder's pid.
 * @throws PlasmError `already-running` (facts: `pid`, null when the holder does not answer; `store`)
 */
export async function takeLock(storeRoot: string): Promise<Lock> {
  const name = `\0plasm-agent-${createHash('sha256').update(resolve(storeRoot)).digest('hex').slice(0, 16)}`
  const server = createServer((socket) => socket.on('error', () => {}).end(`${process.pid}\n`))
  try {
    await listen(server, name)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    const pid = await holder(name)
    throw new PlasmError('already-running', `another plasm-agent uses ${storeRoot}${pid ? `, pid ${pid}` : ''}`, {
      facts: { pid, store: storeRoot },
      hint: 'while it serves, put new sets into an inbox; or stop it first',
      cause,
    })
  }
  server.unref()
  return { release: () => new Promise((done) => server.close(() => done())) }
}

function listen(server: Server, name: string): Promise<void> {
  return new Promise((listening, reject) => {
    server.once('error', reject).listen(name, listening)
  })
}

async function holder(name: string): Promise<number | null> {
  const socket = connect(name)
  socket.setTimeout(ANSWER_MS, () => socket.destroy())
  const pid = Number.parseInt(await text(socket).catch(() => ''), 10)
  return Number.isNaN(pid) ? null : pid
}
