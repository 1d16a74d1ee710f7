/** Largest manifest that is read into memory, bytes. */
export const MANIFEST_MAX_BYTES = 4 * 1024 * 1024
