import { exitCodeOf, runAndShow } from '../../host-harness/chain-command.ts'
import { interruptedBySignal } from '../../host-harness/interrupt.ts'

/** usage: harness-kept-program.ts SPEC_JSON. `plasm-harness chain`, without images. */
const interrupted = interruptedBySignal()
const say = (text: string) => process.stderr.write(`${text}\n`)
process.exitCode = exitCodeOf(await runAndShow(JSON.parse(process.argv[2]!), interrupted, () => {}, say))
