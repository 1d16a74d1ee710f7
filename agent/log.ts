import { join } from 'node:path'
import { pino } from 'pino'
import type { AgentEvent } from './events.ts'
import { logDirectory } from './log-directory.ts'
import { openLogFile } from './log-file.ts'
import { eventLines } from './log-lines.ts'
import type { EventSink } from './steps.ts'

/** Where people look (stderr, which is the console in the guest), and where programs do (JSON lines in a bounded file). */
export interface AgentLog {
  readonly sink: EventSink
  /** One line about something that is no event; `facts` go to the file only. */
  say(message: string, facts?: Readonly<Record<string, unknown>>): void
}

export interface LogTargets {
  readonly file?: string
  readonly console?: { write(text: string): unknown; readonly isTTY?: boolean }
}

/** pino writes synchronously: its worker transports do not work inside a bundle, and a kexec would lose what they hold. */
export function createLog(program: string, targets: LogTargets = {}): AgentLog {
  const logger = pino(
    { base: { program }, timestamp: pino.stdTimeFunctions.isoTime },
    openLogFile(targets.file ?? join(logDirectory(), 'agent.log')),
  )
  const terminal = targets.console ?? process.stderr
  const lines = eventLines({ program, colour: terminal.isTTY === true })
  const print = (line: string | undefined) => line !== undefined && terminal.write(`${line}\n`)
  return {
    sink(event) {
      logger[levelOf(event)]({ event }, event.type)
      print(lines.ofEvent(event))
    },
    say(message, facts = {}) {
      logger.info(facts, message)
      print(lines.ofMessage(message))
    },
  }
}

/** {@link createLog} for a program that only has events to tell. */
export function logSink(program: string): EventSink {
  return createLog(program).sink
}

function levelOf(event: AgentEvent): 'debug' | 'info' | 'warn' | 'error' {
  switch (event.type) {
    case 'step-failed':
      return 'error'
    case 'not-ready':
      return 'warn'
    case 'progress':
      return 'debug'
    default:
      return 'info'
  }
}
