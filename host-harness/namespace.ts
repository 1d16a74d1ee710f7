import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import type { ChainEvent, ChainSpec } from './chain-spec.ts'

const INSIDE = fileURLToPath(new URL('./inside.ts', import.meta.url))

/** Network, mount and process namespaces of the run's own; `--kill-child`: nothing in them outlives `unshare`. */
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']

const FORK_LOOK_MS = 20

export interface InsideRun {
  /** The process to name to nsenter, in the caller's numbering; undefined when it is gone already. */
  pid(): Promise<number | undefined>
  /** Asks it to give up and clean up. */
  giveUp(): void
  /** Resolves when everything that it started is gone. */
  readonly ended: Promise<void>
}

/**
 * Runs the chain in namespaces of its own. Should this process die, the kernel kills `unshare` (parent-death signal) and
 * with it everything inside.
 * @throws PlasmError `no-namespaces` | `no-tun`
 */
export async function runInside(spec: ChainSpec, onEvent: (event: ChainEvent) => void): Promise<InsideRun> {
  const unshare = await unshareArguments()
  const child = execa(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...unshare, process.execPath, INSIDE, JSON.stringify(spec)],
    // A session of its own: Ctrl-C reaches this process alone, which then closes the lifeline.
    { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit', buffer: false, reject: false, detached: true, cleanup: false },
  )
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => onEvent(JSON.parse(line) as ChainEvent))
  const drained = new Promise<void>((resolve) => lines.once('close', resolve))
  let isOver = false
  void child.then(() => {
    isOver = true
  })
  return {
    async pid() {
      // It forks once it has made the namespaces.
      for (;;) {
        const pid = await firstChild(child.pid)
        if (pid !== undefined || isOver) return pid
        await sleep(FORK_LOOK_MS)
      }
    },
    giveUp: () => child.stdin.end(),
    ended: Promise.all([child, drained]).then(() => {}),
  }
}

/**
 * Arguments of `unshare` for root, or for an unprivileged user namespace: tried, not guessed.
 * @throws PlasmError `no-namespaces` | `no-tun`
 */
export async function unshareArguments(): Promise<readonly string[]> {
  const isRoot = process.geteuid?.() === 0
  const args = isRoot ? NAMESPACES : ['--user', '--map-root-user', ...NAMESPACES]
  const trial = await execa('unshare', [...args, 'true'], { reject: false, stdin: 'ignore' })
  if (trial.failed) {
    const said = trial.stderr.trim() || String(trial.shortMessage)
    throw new PlasmError('no-namespaces', `cannot make namespaces: ${said}`, {
      facts: { step: 'network', said },
      hint: isRoot
        ? 'run it where root has CAP_SYS_ADMIN (a container needs --privileged)'
        : 'run it as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)',
    })
  }
  await access('/dev/net/tun', constants.R_OK | constants.W_OK).catch((cause) => {
    throw new PlasmError('no-tun', 'cannot use /dev/net/tun, which the machines are connected by', {
      facts: { step: 'network' },
      hint: isRoot
        ? 'modprobe tun; a container needs --device /dev/net/tun'
        : 'run it as root, or make it usable once: sudo chmod 666 /dev/net/tun',
      cause,
    })
  })
  return args
}

async function firstChild(pid: number | undefined): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return Number(children.split(' ')[0]) || undefined
}
