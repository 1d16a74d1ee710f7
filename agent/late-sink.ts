import type { AgentEvent } from './events.ts'
import type { EventSink } from './steps.ts'

/** A sink whose target is known only after the configuration is read: what comes before that is handed on then. */
export function createLateSink(): { readonly sink: EventSink; attach(target: EventSink): void } {
  const waiting: AgentEvent[] = []
  let target: EventSink | undefined
  return {
    sink: (event) => (target ? target(event) : waiting.push(event)),
    attach(given) {
      target = given
      for (const event of waiting.splice(0)) given(event)
    },
  }
}
