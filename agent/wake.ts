export interface Wake {
  wake(): void
  /** Waits until the next {@link Wake.wake}, at most so long. One that came since the last wait counts. */
  wait(milliseconds: number): Promise<'woken' | 'timeout'>
}

/** One waiter, many who may wake it. */
export function createWake(): Wake {
  let pending = false
  let awaken: (() => void) | undefined
  return {
    wake() {
      pending = true
      awaken?.()
    },
    wait(milliseconds) {
      return new Promise((resolve) => {
        let timer: NodeJS.Timeout | undefined
        const end = (how: 'woken' | 'timeout') => {
          clearTimeout(timer)
          awaken = undefined
          pending = false
          resolve(how)
        }
        if (pending) return end('woken')
        awaken = () => end('woken')
        if (Number.isFinite(milliseconds)) timer = setTimeout(() => end('timeout'), milliseconds)
      })
    },
  }
}
