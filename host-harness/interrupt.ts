const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Aborted by the first signal that asks this process to end; the reason is that signal's name. */
export function interruptedBySignal(): AbortSignal {
  const interrupt = new AbortController()
  for (const name of SIGNALS) process.on(name, () => interrupt.abort(name))
  return interrupt.signal
}
