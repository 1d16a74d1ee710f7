import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { KeptMachine } from './kept-machine.ts'

/** How a service manager is asked in a machine, in sh. */
export interface ManagerTools {
  /** Prints the pid of plasmd; fails when there is none. */
  readonly plasmdPid: string
  /** Prints the pid of the agent. */
  readonly agentPid: string
  readonly stopAgent: string
  readonly startAgent: string
  /** Makes a plasmd that takes no notice of a request to stop; and the end of that. */
  readonly deafen: string
  readonly undeafen: string
}

export type SupervisionCase = (machine: KeptMachine, t: TestContext) => Promise<void>

const TOOLS = `
now() { read -r up _ </proc/uptime; echo "$up"; }
plasmds() { # the pids of all programs that are plasmd, zombies left out; without a process for each, which takes its time here
  for proc in /proc/[0-9]*; do
    words=; read -r words <"$proc/cmdline" # without the NULs between them, as far as the first line goes
    case $words in plasmdserve* | /usr/local/bin/plasmdserve*) printf '%s ' "\${proc#/proc/}" ;; esac
  done
  echo
} 2>/dev/null
new_plasmd() { # OLD: waits for another one than that, prints its pid
  for _ in $(seq 600); do
    pid=$(plasmd_pid) && [ "$pid" != "$1" ] && echo "$pid" && return
    sleep 0.1
  done
  return 1
}
until_ready() {
  for _ in $(seq 120); do plasm-agent status >/dev/null && return; sleep 0.5; done
  plasm-agent status; return 1
}
`

/** Runs a script with those tools; it has to end well. @returns its lines */
export async function inside(
  machine: KeptMachine,
  { plasmdPid, agentPid, stopAgent, startAgent, ...ears }: ManagerTools,
  script: string,
): Promise<readonly string[]> {
  const asked = { plasmd_pid: plasmdPid, agent_pid: agentPid, stop_agent: stopAgent, start_agent: startAgent, ...ears }
  const functions = Object.entries(asked).map(([name, body]) => `${name}() { ${body}; } 2>/dev/null\n`)
  const ran = await machine.sh(functions.join('') + TOOLS + script)
  assert.equal(ran.exit, 0, `exit ${ran.exit}\n${ran.stdout}\n${ran.stderr}`)
  return ran.stdout.split('\n')
}

export const numbers = (line: string) => line.trim().split(/\s+/).filter(Boolean).map(Number)

/** What holds under every service manager, in this order; each leaves the machine ready. */
export const commonCases = (tools: ManagerTools): Readonly<Record<string, SupervisionCase>> => ({
  'exec brings out exit codes, both streams, and a megabyte': async (machine) => {
    assert.deepEqual(await machine.sh('echo out; echo err >&2; exit 7'), { exit: 7, stdout: 'out', stderr: 'err' })
    const { stdout } = await machine.sh('yes 0123456789abcde | head -c 1048576')
    assert.equal(stdout.length, 1048575, 'the last end of line is cut off by the test itself')
    const status = await machine.sh('plasm-agent status')
    assert.equal(status.exit, 0)
    assert.match(status.stdout, /^ready\n/)
  },

  'a hung plasmd is killed, and another one runs within 15 s': async (machine, t) => {
    const [line] = await inside(
      machine,
      tools,
      `
      sleep 61 # so long up, it starts again after a second
      old=$(plasmd_pid); from=$(now); kill -STOP "$old"
      pid=$(new_plasmd "$old") || exit 1
      echo "$from $(now)"
      until_ready`,
    )
    const [from, to] = numbers(line!)
    t.diagnostic(`after ${(to! - from!).toFixed(1)} s`)
    assert.ok(to! - from! <= 15, `${to! - from!} s`)
  },

  'plasmd killed for want of memory: the agent lives, and says so': async (machine) => {
    const lines = await inside(
      machine,
      tools,
      `
      agent=$(agent_pid); old=$(plasmd_pid)
      echo 1000 >"/proc/$old/oom_score_adj"; echo f >/proc/sysrq-trigger
      pid=$(new_plasmd "$old") || exit 1
      until_ready; plasm-agent status
      same=$(agent_pid); [ "$agent" = "$same" ] && echo same`,
    )
    assert.equal(lines.at(-1), 'same')
    assert.match(lines.join('\n'), /last\s+ended:\s+killed\s+by\s+SIGKILL\s+\(out\s+of\s+memory\)/)
  },

  'a plasmd that ignores SIGTERM is killed after 15 s': async (machine, t) => {
    const [line, left] = await inside(
      machine,
      tools,
      `
      deafen; from=$(now); stop_agent; echo "$from $(now)"; plasmds
      undeafen; start_agent; until_ready`,
    )
    const [from, to] = numbers(line!)
    t.diagnostic(`stopped after ${(to! - from!).toFixed(1)} s`)
    assert.ok(to! - from! >= 14 && to! - from! < 20, `${to! - from!} s`)
    assert.equal(left!.trim(), '', 'none is left')
  },
})
