import { asPlasmError, EXIT } from '../../service/errors.ts'

/** What is no fault of the set that was named. */
const EXIT_BY_CODE: Readonly<Record<string, number>> = {
  'config-invalid': EXIT.badConfig,
  'trust-missing': EXIT.badConfig,
  'trust-policy-invalid': EXIT.badConfig,
  'agent-not-running': EXIT.unavailable,
  'freshness-state-invalid': EXIT.failed,
  'no-choice': EXIT.failed,
  'no-provider': EXIT.unavailable,
  'transfer-broken': EXIT.unavailable,
  'already-running': EXIT.failed,
  'log-missing': EXIT.failed,
  'scratch-full': EXIT.failed,
  'scratch-unsafe': EXIT.failed,
  'store-full': EXIT.failed,
  'store-read-only': EXIT.failed,
  'store-unsafe': EXIT.failed,
  'storage-failed': EXIT.failed,
  'too-many-files': EXIT.failed,
  'update-memory-short': EXIT.failed,
  'update-not-asked': EXIT.failed,
  'update-not-proven': EXIT.failed,
  'update-not-ready': EXIT.unavailable,
  'update-unanswered': EXIT.failed,
  unexpected: EXIT.failed,
}

/** Runs a command; its error goes to standard error, and with --json as `{"error":…}` to standard output too. */
export async function answering(json: boolean, command: () => Promise<number>): Promise<number> {
  try {
    return await command()
  } catch (thrown) {
    const { code, message, hint, facts } = asPlasmError(thrown)
    console.error(`plasm-agent: ${message} [${code}]${hint ? `\n  ${hint}` : ''}`)
    if (json) console.log(JSON.stringify({ error: { code, message, facts, hint } }))
    return EXIT_BY_CODE[code] ?? EXIT.badData
  }
}
