import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LAST_CHARACTERS = 3000

export interface Terminal {
  /** All that was on the screen so far. */
  seen(): string
  /** Waits for something on the screen; fails with the last of what was there instead. */
  until(what: RegExp): Promise<void>
  type(keys: string): void
  /** @returns the program's exit code */
  end(): Promise<number | undefined>
  stop(): void
}

/** A program with a terminal of its own, by script(1). @param within ms, for it and for each wait */
export function openTerminal(words: readonly string[], within: number): Terminal {
  // A shell that stays would die of the Ctrl-C that the program ends well by.
  const command = `exec ${words.map((word) => `'${word}'`).join(' ')}`
  const running = execa('script', ['-qec', command, '/dev/null'], {
    cwd: ROOT,
    reject: false,
    timeout: within,
  })
  let seen = ''
  let ended = false
  void running.then(() => {
    ended = true
  })
  running.stdout.on('data', (text) => {
    seen += String(text)
  })
  return {
    seen: () => seen,
    async until(what) {
      for (const deadline = performance.now() + within; !what.test(seen); await sleep(50)) {
        assert.ok(performance.now() < deadline && !ended, `no ${what}:\n${seen.slice(-LAST_CHARACTERS)}`)
      }
    },
    type: (keys) => void running.stdin.write(keys),
    end: async () => (await running).exitCode,
    stop: () => void running.kill('SIGTERM'),
  }
}
