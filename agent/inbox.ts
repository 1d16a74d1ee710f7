import { dirname, resolve } from 'node:path'
import type { FSWatcher } from 'chokidar'
import { asPlasmError, type PlasmError } from '../service/errors.ts'
import { type Store, takeIn } from './inbox-take.ts'
import type { StoredSet } from './publish.ts'

/** A writer that pauses for so long is worth a look. */
const QUIET_MS = 300

export interface Inbox {
  /** Looks into the directories that changed since the last look, and takes in the first wanted set. */
  takeIn(served: StoredSet | undefined): Promise<{ readonly set: StoredSet; readonly dir: string } | undefined>
  stop(): Promise<void>
}

export interface InboxVoices {
  /** Something changed and has been quiet since. */
  readonly onChange: () => void
  /** Told once for each different reason. */
  readonly say: (message: string) => void
  readonly refused: (error: PlasmError) => void
}

/** Watches the directories where other programs leave what they fetched. They need not exist yet. */
export async function watchInboxes(dirs: readonly string[], store: Store, voices: InboxVoices): Promise<Inbox> {
  const inboxes = dirs.map((dir) => resolve(dir))
  const said = new Map<string, string>()
  const changed = new Set(inboxes)
  let timer: NodeJS.Timeout | undefined
  const watcher = await watch(inboxes, (path) => {
    const inbox = inboxes.find((dir) => path === dir || dirname(path) === dir)
    if (!inbox) return
    changed.add(inbox)
    clearTimeout(timer)
    timer = setTimeout(voices.onChange, QUIET_MS)
  })
  const once = (dir: string, reason: string, tell: () => void) => {
    if (said.get(dir) === reason) return
    said.set(dir, reason)
    tell()
  }
  return {
    async takeIn(served) {
      for (const dir of [...changed]) {
        changed.delete(dir)
        try {
          const intake = await takeIn(dir, store, served)
          if (intake.outcome === 'taken') {
            once(dir, intake.set.verified.digest, () => voices.say(`took a set in from ${dir}`))
            return { set: intake.set, dir }
          }
          if (intake.outcome === 'ignored') {
            once(dir, intake.reason, () => voices.say(`the set in ${dir} is ignored: ${intake.reason}`))
          }
        } catch (thrown) {
          const error = asPlasmError(thrown)
          once(dir, `${error.code} ${error.message}`, () => voices.refused(error))
        }
      }
      return undefined
    },
    async stop() {
      clearTimeout(timer)
      await watcher.close()
    },
  }
}

/** chokidar tells of a directory only when it can watch the one above it, so the parents are watched, no deeper than needed. */
async function watch(inboxes: readonly string[], onPath: (path: string) => void): Promise<FSWatcher> {
  const { watch } = await import('chokidar')
  const parents = new Set(inboxes.map((dir) => dirname(dir)))
  const watcher = watch([...parents], {
    depth: 1,
    followSymlinks: false,
    ignored: (path) => !parents.has(path) && !inboxes.some((dir) => path === dir || dirname(path) === dir),
  })
  watcher.on('all', (_event, path) => onPath(path))
  watcher.on('error', () => {})
  await new Promise<void>((ready) => watcher.once('ready', ready))
  return watcher
}
