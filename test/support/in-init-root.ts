import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa } from 'execa'

const REPO = resolve(import.meta.dirname, '../..')

/** What /bin/sh is. */
export type Shell = 'sh' | 'busybox'

/** `step NAME COMMAND…` runs a command and writes down how it ended; the tools look at processes. */
const TOOLS = `
PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
step() { name=$1; shift; "$@" >>"$OUTPUT/said" 2>&1; echo "$name $?" >>"$OUTPUT/steps"; }
note() { echo "$*" >>"$OUTPUT/steps"; }
pid() { { read -r pid _ </run/plasm/$1.pid && echo "$pid"; } 2>/dev/null; }
running() { # WORD: how many processes have it in their command line, those of a shell left out
  count=0
  for proc in /proc/[0-9]*; do
    case $(tr '\\0' ' ' <"$proc/cmdline") in "$1 "*" serve "*) count=$((count + 1)) ;; esac
  done 2>/dev/null
  echo "$count"
}
until_so() { # COMMAND…: waits until it succeeds
  for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  note "never: $*"
  return 1
}
another() { new=$(pid "$1") && [ "$new" != "$2" ]; } # NAME OLD
one_each() { [ "$(running plasm-agent) $(running plasmd)" = '1 1' ]; }
now() { read -r up _ </proc/uptime; echo "\${up%.*}"; }
ready() { plasm-agent status; }
ip link set lo up
`

export interface Ran {
  /** A line for each step and each note. */
  readonly steps: readonly string[]
  /** What the steps printed. */
  readonly said: string
}

/** A system in which a script runs. */
export interface InitRoot {
  readonly shell: Shell
  /** Arguments of `unshare`. */
  readonly namespaces: readonly string[]
  /** What is PID 1 instead of the script, and has the script started by an inittab. */
  readonly init?: { readonly program: string; readonly inittab: (script: string) => string }
  /** Unpacked packages that are installed there (packageTrees). */
  readonly trees?: readonly string[]
  /** Puts files into the directory that the script sees as $OUTPUT. */
  readonly prepare?: (output: string) => Promise<void>
  /** Runs before the init does. */
  readonly first?: string
}

/**
 * Runs a script in a root that has the init scripts under their real paths (init-root.sh), as its PID 1 or started by an init.
 * The end of the script is the end of that system.
 */
export async function inInitRoot(
  script: string,
  { shell, namespaces, init, trees = [], prepare, first = '' }: InitRoot,
): Promise<Ran> {
  const output = await mkdtemp(join(tmpdir(), 'init-scripts-'))
  const at = (name: string) => join(output, name)
  try {
    await prepare?.(output)
    // Of the process namespace (reboot(2)), whose PID 1 is the init.
    await writeFile(at('script'), `${TOOLS}${script}\n${init ? 'busybox poweroff -f' : ''}\n`)
    await writeFile(at('steps'), '')
    await writeFile(at('said'), '')
    let command = ['sh', at('script')]
    if (init) {
      await writeFile(at('inittab'), init.inittab(`/bin/sh ${at('script')}`))
      command = ['sh', '-c', `cp ${at('inittab')} /etc/inittab; ${first}\nexec ${init.program}`]
    }
    const root = [join(REPO, 'test/support/init-root.sh'), REPO, process.execPath, shell, output]
    const inside = [...root, trees.join(' '), ...command]
    const ran = await execa('unshare', [...namespaces, ...inside], { stdin: 'ignore', reject: false, timeout: 120_000 })
    const said = `${await readFile(at('said'), 'utf8')}${await readFile(at('console'), 'utf8').catch(() => '')}${ran.stdout}${ran.stderr}`
    return { steps: (await readFile(at('steps'), 'utf8')).split('\n').filter(Boolean), said }
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}
