import { setTimeout as sleep } from 'node:timers/promises'
import type { Probe } from './plasmd-probe.ts'
import type { PlasmdView, ServiceManager, ServiceOwner } from './service-owner.ts'
import { showsLife } from './supervise.ts'

/** What the looks at one process have shown. */
export interface Watched {
  /** It has answered: from then on it is up until it ends or hangs, slow as it may be. */
  readonly answered: boolean
  /** It answered the last time it was asked. */
  readonly answers: boolean
  /** It was silent for too long, and was killed. */
  readonly hung: boolean
  /** Its start was asked for, and its end was not. */
  readonly begun: boolean
}

/** What a process is granted at one look. */
export interface Expected {
  /** Whether to ask for its counters too. */
  readonly counters: boolean
  /** Neither an answer nor a byte moved for so long, ms: hung. */
  readonly silence: number
}

/** What is peculiar to a program that starts plasmd again by itself: how it is asked, read, and told of a hung one. */
export interface PlasmdManager {
  readonly managedBy: ServiceManager
  /** Asks for the first start; waits for nothing. */
  begin(): void
  /** Ends plasmd, waits until it is gone, and forgets what was read. Never rejects. */
  end(): Promise<void>
  /** Finds out how plasmd is. */
  read(): Promise<void>
  /** Of the process that was read last. */
  pid(): number | null
  /** `read` found another process than before, or none. @param hung whether the one before was killed for that */
  replaced?(before: number | null, hung: boolean): void
  /** What else this manager needs, after `read`. @returns whether to ask the process how it is */
  tend?(): Promise<boolean>
  /** @param answered as in `Watched` */
  expected(answered: boolean): Expected
  /** Never rejects. */
  probe(pid: number, counters: boolean): Promise<Probe>
  kill(pid: number): Promise<void> | void
  /** A look is over. @param failed what made it fail, if it did */
  looked(failed: Error | undefined): void
  state(watched: Watched): PlasmdView['state']
  /** Until the next look, ms. */
  pause(state: PlasmdView['state'], answers: boolean): number
  told(): Pick<PlasmdView, 'startedAt' | 'restarts' | 'lastExit'>
}

/** plasmd under a manager that restarts it: looks whether it answers, has one killed that hangs, and tells of every change. */
export function watchedPlasmd(manager: PlasmdManager): ServiceOwner {
  const listeners = new Set<() => void>()
  let begun = false
  let probe: Probe | undefined
  let answered = false
  let hung = false
  let aliveAt = 0
  let written: number | null = null

  const state = () => manager.state({ answered, answers: probe !== undefined, hung, begun })

  const tell = () => {
    for (const listener of listeners) listener()
  }

  const forget = () => {
    probe = undefined
    answered = false
    hung = false
    aliveAt = performance.now()
    written = null
  }

  const look = async () => {
    const before = manager.pid()
    await manager.read()
    const pid = manager.pid()
    if (pid !== before) {
      manager.replaced?.(before, hung)
      forget()
    }
    if (manager.tend && !(await manager.tend())) return
    if (pid !== null) await lookAt(pid)
  }

  const lookAt = async (pid: number) => {
    const { counters, silence } = manager.expected(answered)
    const found = await manager.probe(pid, counters)
    if (showsLife(found, written)) aliveAt = performance.now()
    written = found.written
    probe = found.answered ? found : undefined
    answered ||= found.answered
    if (hung || performance.now() - aliveAt < silence) return
    hung = true
    await manager.kill(pid)
  }

  const lookWhileBegun = async () => {
    while (begun) {
      const [stateBefore, pidBefore] = [state(), manager.pid()]
      await look().then(() => manager.looked(undefined), manager.looked)
      const now = state()
      if (now !== stateBefore || manager.pid() !== pidBefore) tell()
      await sleep(manager.pause(now, probe !== undefined), undefined, { ref: false })
    }
  }

  return {
    managedBy: manager.managedBy,
    start() {
      if (begun) return
      begun = true
      manager.begin()
      void lookWhileBegun()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async stop() {
      begun = false
      await manager.end()
      forget()
      tell()
    },
    view: () => ({
      state: state(),
      pid: manager.pid(),
      ...manager.told(),
      // Only its manager knows.
      nextStartAt: null,
      bytesServed: probe?.bytesServed ?? null,
      requests: probe?.requests ?? null,
    }),
  }
}
