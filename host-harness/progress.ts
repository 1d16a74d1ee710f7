import type { ChainEvent, MachineProgress } from './chain-spec.ts'

const REDRAW_MS = 250
/** Plain output says again how far a transfer is after each quarter. */
const PLAIN_PARTS = 4
const NAME_WIDTH = 6
const DOING_WIDTH = 26

export interface ProgressView {
  show(event: ChainEvent): void
  /** Leaves the last state standing. */
  close(): void
}

/** One line for each machine, redrawn on a terminal; elsewhere a line for each change. */
export function progressView(stream: NodeJS.WriteStream): ProgressView {
  return stream.isTTY ? liveView(stream) : plainView(stream)
}

/** `vm1    fetch    12.0 of 51.7 MiB   8.1 s` */
export function progressLine(name: string, progress: MachineProgress, seconds: number = progress.seconds): string {
  const { doing, bytes, totalBytes } = progress
  const mib = (count: number) => (count / 1024 / 1024).toFixed(1)
  const far = bytes === undefined || totalBytes === undefined ? '' : ` ${mib(bytes)} of ${mib(totalBytes)} MiB`
  return `${name.padEnd(NAME_WIDTH)} ${`${doing}${far}`.padEnd(DOING_WIDTH)} ${seconds.toFixed(1).padStart(6)} s`
}

function textOf(event: ChainEvent): string | undefined {
  if (event.type === 'say') return event.text
  if (event.type !== 'console-tail') return undefined
  return [
    `the end of ${event.name}'s console (all of it: ${event.log}):`,
    ...event.lines.map((line) => `  | ${line}`),
  ].join('\n')
}

function plainView(stream: NodeJS.WriteStream): ProgressView {
  const last = new Map<string, string>()
  return {
    show(event) {
      const text = textOf(event)
      if (text !== undefined) stream.write(`${text}\n`)
      if (event.type !== 'machine') return
      const { progress, name } = event
      const part = Math.floor(((progress.bytes ?? 0) / (progress.totalBytes ?? 1)) * PLAIN_PARTS)
      const key = `${progress.doing} ${part}`
      if (last.get(name) === key) return
      last.set(name, key)
      stream.write(`${progressLine(name, progress)}\n`)
    },
    close() {},
  }
}

function liveView(stream: NodeJS.WriteStream): ProgressView {
  const machines = new Map<string, { progress: MachineProgress; at: number }>()
  let drawn = 0
  const erase = () => {
    if (drawn > 0) stream.write(`\x1b[${drawn}A\x1b[J`)
    drawn = 0
  }
  const draw = () => {
    const now = performance.now()
    const lines = [...machines].map(([name, { progress, at }]) => {
      const since = progress.state === 'running' ? (now - at) / 1000 : 0
      return progressLine(name, progress, progress.seconds + since).slice(0, stream.columns - 1)
    })
    stream.write(lines.map((line) => `${line}\n`).join(''))
    drawn = lines.length
  }
  const redraw = () => {
    erase()
    draw()
  }
  const ticking = setInterval(redraw, REDRAW_MS)
  return {
    show(event) {
      if (event.type === 'machine') machines.set(event.name, { progress: event.progress, at: performance.now() })
      const text = textOf(event)
      if (text === undefined) return
      erase()
      stream.write(`${text}\n`)
      draw()
    },
    close() {
      clearInterval(ticking)
      redraw()
    },
  }
}
