import { readdirSync, readlinkSync, realpathSync, rmSync } from 'node:fs'

const LOOK_EVERY_MS = 5

/**
 * Gives files up to the process that reads them: each is unlinked as soon as the process has it open, so that its room is
 * free the moment the process closes it. kexec reads both files into its own memory before it hands them to the kernel, and
 * three copies at once do not fit into a small machine.
 * @returns stops looking
 */
export function giveUpFiles(pid: number, files: readonly string[]): () => void {
  const left = new Set(files.map((file) => realpathSync(file)))
  const timer = setInterval(() => {
    for (const file of openFiles(pid)) if (left.delete(file)) rmSync(file, { force: true })
    if (left.size === 0) clearInterval(timer)
  }, LOOK_EVERY_MS)
  return () => clearInterval(timer)
}

function openFiles(pid: number): readonly string[] {
  const directory = `/proc/${pid}/fd`
  try {
    return readdirSync(directory).map((fd) => readlinkSync(`${directory}/${fd}`))
  } catch {
    return [] // it closed one between the two calls, or has ended
  }
}
