/** Facts an error carries for programs and logs; values are JSON. */
export type Facts = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

export interface PlasmErrorInit {
  /** Facts behind the message: file, field, provider, expected and found values. */
  readonly facts?: Facts
  /** What the person who reads this should do next, one sentence. */
  readonly hint?: string
  readonly cause?: unknown
}

/**
 * The one error type that crosses module borders. `code` is stable, kebab-case and listed in docs/errors.md;
 * the message is for people and may change.
 */
export class PlasmError extends Error {
  readonly code: string
  readonly facts: Facts
  readonly hint: string | undefined

  constructor(code: string, message: string, init: PlasmErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'PlasmError'
    this.code = code
    this.facts = init.facts ?? {}
    this.hint = init.hint
  }
}

/** Any thrown value as a PlasmError; what is not one yet becomes `unexpected` and keeps its cause. */
export function asPlasmError(thrown: unknown): PlasmError {
  if (thrown instanceof PlasmError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  const errno = (thrown as NodeJS.ErrnoException | null)?.code
  return new PlasmError('unexpected', message, { cause: thrown, facts: typeof errno === 'string' ? { errno } : {} })
}

/** Exit codes of every program here (sysexits.h numbers where one fits); `plasm-agent status` has LSB's own. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** Data from a file or a provider is wrong (EX_DATAERR). */
  badData: 65,
  /** No provider, no network, no such host (EX_UNAVAILABLE). */
  unavailable: 69,
  /** Configuration is wrong (EX_CONFIG). */
  badConfig: 78,
} as const
