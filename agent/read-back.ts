import { PlasmError } from '../service/errors.ts'
import { type StreamAnswer, streamHttp } from './http-stream.ts'

/** A foreign plasmd may hash a file before its first answer about it. */
const PATIENCE = { connectMs: 10_000, headersMs: 60_000, stallMs: 60_000 }

/** One request to this machine's own plasmd. @throws PlasmError `self-check-unreachable` (facts: `url`) */
export async function readBack(
  url: string,
  method: 'GET' | 'HEAD',
  onBody: (data: Buffer) => void,
  headers: Readonly<Record<string, string>> = {},
): Promise<StreamAnswer> {
  try {
    return await streamHttp({ url, method, headers, onBody, patience: PATIENCE })
  } catch (thrown) {
    throw unreachable(url, (thrown as Error).message, thrown)
  }
}

export function mismatch(
  artifact: string,
  facts: { expected: string; found: string; where: 'disk' | 'server' },
): PlasmError {
  const blame = facts.where === 'disk' ? 'the stored file is wrong' : 'plasmd serves something else than is stored'
  return new PlasmError('self-check-mismatch', `${artifact} is not what the manifest says: ${blame}`, {
    facts: { artifact, ...facts },
    hint:
      facts.where === 'disk'
        ? 'the set is taken out of service and fetched again from other providers, or taken from an inbox'
        : 'look whether another program answers on the port of plasmd',
  })
}

export function unreachable(url: string, problem: string, cause?: unknown): PlasmError {
  return new PlasmError('self-check-unreachable', `${url} cannot be read back: ${problem}`, { facts: { url }, cause })
}
