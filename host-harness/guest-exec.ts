import type { Duplex } from 'node:stream'
import { PlasmError } from '../service/errors.ts'
import { byteLines } from './byte-lines.ts'

export interface Executed {
  /** Exit code; 128 + its number for a signal, as sh says it. */
  readonly exit: number
  readonly stdout: Buffer
  readonly stderr: Buffer
}

export interface ExecLimit {
  /** From asking to the answer, waiting for the guest included; default 60 s. */
  readonly timeoutMs?: number
  /** Told when the guest, which takes commands now, is given this one. */
  readonly started?: () => void
  /** Told what a command that did not end in time had said, before the error; without it nobody waits for that. */
  readonly lastWords?: (ended: Executed) => void
}

export interface GuestExec {
  exec(command: string | readonly string[], limit?: ExecLimit): Promise<Executed>
}

const TIMEOUT_MS = 60_000
/** The guest ends a command up to two seconds later than this end, and by force two seconds after that. */
const LAST_WORDS_MS = 5000
/** A guest is not to be believed: an answer beyond this fills no memory here. */
const MOST_ANSWER_BYTES = 64 * 1024 * 1024
const ANSWER = /^(\d{1,15}) (\d{1,3}) (-|[A-Za-z0-9+/]+={0,2}) (-|[A-Za-z0-9+/]+={0,2})$/
/** What init/host-shell says when it starts. */
const UP = 'up'

interface Asked {
  readonly id: number
  readonly script: string
  readonly deadline: number
  readonly started: (() => void) | undefined
  settle(outcome: Executed | PlasmError): void
}

/**
 * The host's end of init/host-shell, which says what the lines are. One request is out at a time. Each start of the guest's
 * end is followed by an empty request: its answer says that whatever was asked before and is still open got lost, since the
 * guest answers in order. (That it started says nothing yet: bytes of before may lie in the port still.)
 * @param name the machine, for errors
 * @param stream carries lines both ways; what is written waits while nobody in the guest reads
 */
export function openGuestExec(stream: Duplex, name: string): GuestExec {
  const waiting: Asked[] = []
  let up = false
  let asking: Asked | undefined
  let mark: number | undefined
  let lastId = 0
  let gone: PlasmError | undefined

  const about = (hint: string) => ({ facts: { machine: name, step: 'exec' }, hint })
  const lost = (why: string, hint: string) => new PlasmError('exec-lost', `${name}: ${why}`, about(hint))
  const late = (why: string, hint: string) => new PlasmError('exec-timeout', `${name}: ${why}`, about(hint))
  const neverEnds = `give it more time; one that follows (-f) never ends: let it end, or run it on plasm-harness console ${name}`
  const send = (id: number, seconds: number, script: string) =>
    stream.write(`run ${id} ${seconds} ${Buffer.from(script).toString('base64')}\n`)
  const next = () => {
    if (!up || mark !== undefined || asking) return
    asking = waiting.shift()
    if (!asking) return
    // A second more than here, so that who asked learns it from here, and the next one need not wait for long.
    send(asking.id, Math.ceil((asking.deadline - performance.now()) / 1000) + 1, asking.script)
    asking.started?.()
  }
  const finish = (outcome: Executed | PlasmError) => {
    const finished = asking
    asking = undefined
    finished?.settle(outcome)
    next()
  }
  const hear = (line: string) => {
    if (line === UP) {
      up = true
      mark = ++lastId
      return send(mark, 5, ':')
    }
    const [, id, exit, stdout, stderr] = ANSWER.exec(line) ?? []
    if (id === undefined) return
    if (Number(id) === mark) {
      mark = undefined
      return asking ? finish(lost('it started anew before it answered', STARTED_ANEW)) : next()
    }
    if (Number(id) === asking?.id) {
      finish({ exit: Number(exit), stdout: decoded(stdout!), stderr: decoded(stderr!) })
    }
  }
  const end = () => {
    gone ??= lost('its QEMU has ended', 'see its console log')
    for (const { settle } of [...(asking ? [asking] : []), ...waiting.splice(0)]) settle(gone)
    asking = undefined
  }
  const split = byteLines(MOST_ANSWER_BYTES)
  stream.on('data', (chunk: Buffer) => {
    for (const line of split(chunk)) hear(line)
  })
  for (const ending of ['end', 'error', 'close']) stream.on(ending, end)
  return {
    exec(command, { timeoutMs = TIMEOUT_MS, started, lastWords } = {}) {
      const script = typeof command === 'string' ? command : scriptOf(command)
      return new Promise((resolve, reject) => {
        if (gone) return reject(gone)
        let overdue: PlasmError | undefined
        let settled = false
        const asked: Asked = {
          id: ++lastId,
          script,
          deadline: performance.now() + timeoutMs,
          started,
          settle(outcome) {
            clearTimeout(timer)
            if (settled) return
            settled = true
            if (outcome instanceof PlasmError) return reject(outcome)
            if (!overdue) return resolve(outcome)
            lastWords?.(outcome)
            reject(overdue)
          },
        }
        let timer = setTimeout(() => {
          const at = waiting.indexOf(asked)
          if (at >= 0) waiting.splice(at, 1)
          const seconds = timeoutMs / 1000
          // The guest goes on with what it was asked; the next request waits for it.
          if (asked !== asking) return asked.settle(tooLate(seconds))
          const problem = late(`the command did not end within ${seconds} s`, neverEnds)
          if (!lastWords) return asked.settle(problem)
          overdue = problem
          timer = setTimeout(() => asked.settle(problem), LAST_WORDS_MS)
        }, timeoutMs)
        waiting.push(asked)
        next()
      })
    },
  }

  function tooLate(seconds: number): PlasmError {
    if (up)
      return late(`another command was not done within ${seconds} s`, 'one runs after the other: give it more time')
    const hint = 'its console says how far it is; an image of before this command existed cannot do it'
    return new PlasmError('exec-no-guest', `${name}: nobody in it took commands within ${seconds} s`, about(hint))
  }
}

const STARTED_ANEW = 'a kexec or a restart of its system came in between; ask again'

const decoded = (text: string) => (text === '-' ? Buffer.alloc(0) : Buffer.from(text, 'base64'))

/**
 * A program takes the place of its shell: busybox's timeout ends the shell alone, and one that follows a log would go on for ever.
 * What is no file of its own, such as `ulimit`, is the shell's to run.
 */
function scriptOf(words: readonly string[]): string {
  const command = words.map(quoted).join(' ')
  return `[ -x "$(command -v ${quoted(words[0]!)} 2>/dev/null)" ] && exec ${command}\n${command}`
}

/** One word for sh. */
const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
