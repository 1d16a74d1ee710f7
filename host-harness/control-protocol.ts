import * as v from 'valibot'
import { PlasmError } from '../service/errors.ts'

/**
 * What goes over a run's control socket: one JSON line each way, and before the answer to `exec` one that says when the machine is
 * given the command. After the answer to `console` the connection is that console,
 * byte for byte in both directions, until one side closes it.
 */
const request = v.variant('want', [
  v.strictObject({
    want: v.literal('exec'),
    machine: v.string(),
    command: v.pipe(v.array(v.string()), v.minLength(1), v.readonly()),
    timeoutMs: v.pipe(v.number(), v.minValue(1), v.maxValue(2 ** 31 - 1)),
  }),
  v.strictObject({ want: v.literal('console'), machine: v.string() }),
])

const base64 = v.pipe(
  v.string(),
  v.transform((text) => Buffer.from(text, 'base64')),
)

const problem = v.strictObject({ code: v.string(), message: v.string(), hint: v.optional(v.string()) })

const answer = v.union([
  v.strictObject({ error: problem }),
  // With `late` it had to be ended, and this is what it had said.
  v.strictObject({
    executed: v.strictObject({ exit: v.number(), stdout: base64, stderr: base64, late: v.optional(problem) }),
  }),
  v.strictObject({ started: v.string() }),
  v.strictObject({ attached: v.string() }),
])

export type ControlRequest = v.InferOutput<typeof request>
/** As it is read; what is written has base64 in place of bytes. */
export type ControlAnswer = v.InferOutput<typeof answer>
export type ControlAnswerSent = v.InferInput<typeof answer>

/** In a run's directory: a directory of mode 0700, so that whoever can connect is who started the run, or root. */
export const CONTROL_DIRECTORY = 'control'
export const CONTROL_SOCKET = 'socket'

/** @throws PlasmError `control-invalid` */
export const parseRequest = (line: string): ControlRequest => parse(request, line)

/** @throws PlasmError `control-invalid` */
export const parseAnswer = (line: string): ControlAnswer => parse(answer, line)

function parse<T extends v.GenericSchema>(schema: T, line: string): v.InferOutput<T> {
  try {
    return v.parse(schema, JSON.parse(line))
  } catch (cause) {
    throw new PlasmError('control-invalid', `not a line of a run's control socket: ${(cause as Error).message}`, {
      facts: { step: 'control' },
      hint: 'the run was started by another version; stop it and start it anew',
      cause,
    })
  }
}
