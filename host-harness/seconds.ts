/** Times on one clock, milliseconds; each is when the harness saw it happen. */
export interface Marks {
  readonly qemuStarted: number
  readonly firstBanner: number
  /** The agent's last words before `kexec -e`. */
  readonly kexecLine: number
  readonly secondBanner: number
  readonly ready: number
}

/** Seconds, to a tenth; the four parts sum to `total`. */
export interface Seconds {
  readonly total: number
  readonly firmware: number
  readonly fetchStage: number
  readonly kexec: number
  readonly serveStage: number
}

/** Rounds the marks, not the differences, so that the rounded parts still sum to the rounded total. */
export function secondsOf(marks: Marks): Seconds {
  const tenths = (mark: number) => Math.round((mark - marks.qemuStarted) / 100)
  const between = (from: number, to: number) => (tenths(to) - tenths(from)) / 10
  return {
    total: between(marks.qemuStarted, marks.ready),
    firmware: between(marks.qemuStarted, marks.firstBanner),
    fetchStage: between(marks.firstBanner, marks.kexecLine),
    kexec: between(marks.kexecLine, marks.secondBanner),
    serveStage: between(marks.secondBanner, marks.ready),
  }
}
