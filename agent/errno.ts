import { constants } from 'node:os'

/** The name of a system error; libuv, and so Node, has none for a quota that is used up. */
export function errnoOf(thrown: unknown): string | undefined {
  const { code, errno } = thrown as NodeJS.ErrnoException
  return errno === -constants.errno.EDQUOT ? 'EDQUOT' : code
}
