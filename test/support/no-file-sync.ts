/**
 * The mutant of agent/sync-file.ts that the power-cut test must catch: files are not synced, directories are. The directory's
 * fsync then commits names and inodes while the bytes wait for delayed allocation, and a power cut leaves whole names with empty
 * files. Only test/vm/power-cut.test.ts ever bundles it.
 */
export function syncFile(): Promise<void> {
  return Promise.resolve()
}
