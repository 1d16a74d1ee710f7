import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa } from 'execa'

const REPO = resolve(import.meta.dirname, '../..')

/** What /bin/sh is. */
export type Shell = 'sh' | 'busybox'

/** `step NAME COMMAND…` runs a command and writes down how it ended; the tools look at processes. */
const TOOLS = `
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
  for _ in $(seq 100); do "$@" && return; sleep 0.1; done
  note "never: $*"
}
another() { new=$(pid "$1") && [ "$new" != "$2" ]; } # NAME OLD
ip link set lo up
`

export interface Ran {
  /** A line for each step and each note. */
  readonly steps: readonly string[]
  /** What the steps printed. */
  readonly said: string
}

/**
 * Runs a script in a root that has the init scripts under their real paths (init-root.sh), as its PID 1, or started by the
 * busybox init that is its PID 1 and has this inittab.
 * @param namespaces arguments of `unshare`
 */
export async function inInitRoot(
  script: string,
  { shell, namespaces, inittab }: { shell: Shell; namespaces: readonly string[]; inittab?: string },
): Promise<Ran> {
  const output = await mkdtemp(join(tmpdir(), 'init-scripts-'))
  const at = (name: string) => join(output, name)
  try {
    await writeFile(at('script'), TOOLS + script)
    await writeFile(at('steps'), '')
    await writeFile(at('said'), '')
    let command = ['sh', at('script')]
    if (inittab !== undefined) {
      await writeFile(at('inittab'), `${inittab}\n::once:/bin/sh ${at('script')}\n`)
      command = ['sh', '-c', `cp ${at('inittab')} /etc/inittab; exec busybox init`]
    }
    const inside = [join(REPO, 'test/support/init-root.sh'), REPO, process.execPath, shell, output, ...command]
    const ran = await execa('unshare', [...namespaces, ...inside], { stdin: 'ignore', reject: false, timeout: 120_000 })
    const said = `${await readFile(at('said'), 'utf8')}${ran.stdout}${ran.stderr}`
    return { steps: (await readFile(at('steps'), 'utf8')).split('\n').filter(Boolean), said }
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}
