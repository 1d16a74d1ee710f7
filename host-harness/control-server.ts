import { once } from 'node:events'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { asPlasmError, PlasmError } from '../service/errors.ts'
import { readLine } from './control-line.ts'
import { CONTROL_DIRECTORY, CONTROL_SOCKET, type ControlAnswerSent, parseRequest } from './control-protocol.ts'
import type { Executed } from './guest-exec.ts'
import type { Machine } from './machine.ts'
import { runEnded } from './run-ended.ts'

/** Who attaches to a console and does not read loses what it says meanwhile, and costs no more memory than this. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024

/**
 * Lets `plasm-harness console` and `exec` in, by a socket in the run's directory.
 * @param machines by name; may grow
 * @param over aborted when the run ends: what is not done then is answered with `run-ended`
 */
export async function openControl(
  runDir: string,
  machines: ReadonlyMap<string, Machine>,
  over: AbortSignal,
): Promise<AsyncDisposable> {
  const directory = join(runDir, CONTROL_DIRECTORY)
  await mkdir(directory, { mode: 0o700 })
  const held = await open(directory)
  const connections = new Set<Socket>()
  // Half-open: who has asked and closes its own direction still gets the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    socket.on('error', () => socket.destroy())
    void answer(socket, machines, () => (over.aborted ? runEnded(runDir) : undefined))
  })
  server.listen(socketPath(held))
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of connections) socket.destroy()
      await closed
      await held.close()
    },
  }
}

/** By the directory's descriptor: a socket's own path may be 107 bytes at most (unix(7)), a run's is what the checkout makes it. */
export const socketPath = (directory: FileHandle) => `/proc/self/fd/${directory.fd}/${CONTROL_SOCKET}`

/** @param ended why nothing is done any more; undefined while the run goes on */
async function answer(
  socket: Socket,
  machines: ReadonlyMap<string, Machine>,
  ended: () => PlasmError | undefined,
): Promise<void> {
  const send = (line: ControlAnswerSent) => socket.write(`${JSON.stringify(line)}\n`)
  try {
    const line = await readLine(socket)
    if (line === undefined) return void socket.destroy()
    const asked = parseRequest(line)
    const machine = machineNamed(asked.machine, machines)
    if (asked.want === 'console') {
      send({ attached: machine.name })
      return attach(socket, machine)
    }
    send(await execute(machine, asked, () => send({ started: machine.name })))
  } catch (thrown) {
    send({ error: problemOf(ended() ?? thrown) })
  }
  socket.end()
  socket.resume()
}

/** @throws PlasmError as `Machine.exec`, where the command has said nothing that could be told */
async function execute(
  machine: Pick<Machine, 'exec'>,
  { command, timeoutMs }: { readonly command: readonly string[]; readonly timeoutMs: number },
  started: () => void,
): Promise<ControlAnswerSent> {
  let said: Executed | undefined
  const lastWords = (ended: Executed) => {
    said = ended
  }
  try {
    return { executed: told(await machine.exec(command, { timeoutMs, started, lastWords })) }
  } catch (thrown) {
    if (!said) throw thrown
    return { executed: { ...told(said), late: problemOf(thrown) } }
  }
}

const told = ({ exit, stdout, stderr }: Executed) => ({
  exit,
  stdout: stdout.toString('base64'),
  stderr: stderr.toString('base64'),
})

function problemOf(thrown: unknown) {
  const { code, message, hint } = asPlasmError(thrown)
  return { code, message, ...(hint === undefined ? {} : { hint }) }
}

/** @throws PlasmError `machine-unknown` | `machine-stopped` */
function machineNamed(name: string, machines: ReadonlyMap<string, Machine>): Machine {
  const machine = machines.get(name)
  if (!machine) {
    const known = [...machines.keys()].join(', ')
    throw new PlasmError('machine-unknown', `this run has no machine ${name}${known ? `; it has ${known}` : ' yet'}`, {
      facts: { machine: name },
      hint: known ? `name one of ${known}` : 'wait until it has started the first one',
    })
  }
  const ended = machine.ended()
  if (ended === undefined) return machine
  throw new PlasmError('machine-stopped', `${name} is no longer up: ${ended}`, {
    facts: { machine: name },
    hint: `what it said is in ${machine.consoleLog}`,
  })
}

function attach(socket: Socket, machine: Machine): void {
  const end = machine.onConsole((bytes) => {
    if (socket.writableLength < MOST_UNREAD_BYTES) socket.write(bytes)
  })
  socket.on('data', (bytes) => machine.type(bytes as Buffer))
  socket.on('end', () => socket.end())
  socket.on('close', end)
  void machine.gone.then(() => socket.end())
  socket.resume()
}
