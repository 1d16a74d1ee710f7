/** No such file; not a directory on the way; not a link (readlink(2)). Anything else, an I/O error above all, is no answer. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EINVAL'])

/**
 * Undefined for what is not there. Only that: whoever takes a failing disk or a lack of file descriptors for an empty directory
 * goes on to remove what it did not see.
 */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (thrown) {
    if (ABSENT.has((thrown as NodeJS.ErrnoException).code ?? '')) return undefined
    throw thrown
  }
}
