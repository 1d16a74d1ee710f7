import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { namespacesHere } from '../support/in-namespaces.ts'
import { type KeptMachine, keptMachine } from '../support/kept-machine.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** What the scripts below share: they run in the machine, under busybox. */
const TOOLS = `
now() { read -r up _ </proc/uptime; echo "$up"; }
plasmd_pid() { read -r pid _ </run/plasm/plasmd.pid && echo "$pid"; } 2>/dev/null
plasmds() { # the pids of all programs that are plasmd, zombies left out
  for proc in /proc/[0-9]*; do
    case $(tr '\\0' ' ' <"$proc/cmdline") in "plasmd serve "*) printf '%s ' "\${proc#/proc/}" ;; esac
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
async function inside(machine: KeptMachine, script: string): Promise<readonly string[]> {
  const ran = await machine.sh(TOOLS + script)
  assert.equal(ran.exit, 0, `exit ${ran.exit}\n${ran.stdout}\n${ran.stderr}`)
  return ran.stdout.split('\n')
}

const numbers = (line: string) => line.trim().split(/\s+/).filter(Boolean).map(Number)

/** In this order, in one machine: each leaves it ready. */
const CASES: Readonly<Record<string, (machine: KeptMachine, t: TestContext) => Promise<void>>> = {
  'exec brings out exit codes, both streams, and a megabyte': async (machine) => {
    assert.deepEqual(await machine.sh('echo out; echo err >&2; exit 7'), { exit: 7, stdout: 'out', stderr: 'err' })
    const { stdout } = await machine.sh('yes 0123456789abcde | head -c 1048576')
    assert.equal(stdout.length, 1048575, 'the last end of line is cut off by the test itself')
    const status = await machine.sh('plasm-agent status')
    assert.equal(status.exit, 0)
    assert.match(status.stdout, /^ready\n/)
  },

  'a crash loop: the pauses grow from a second, and status says why': async (machine, t) => {
    const lines = await inside(
      machine,
      `
      old=$(plasmd_pid); kill -KILL "$old"; killed=$(now)
      for _ in 1 2 3 4; do
        pid=$(new_plasmd "$old") || exit 1
        echo "$killed $(now)"
        old=$pid; kill -KILL "$old"; killed=$(now)
      done
      sleep 2; plasm-agent status; echo "exit $?"
      until_ready`,
    )
    const pauses = lines.slice(0, 4).map((line) => numbers(line)[1]! - numbers(line)[0]!)
    t.diagnostic(`pauses ${pauses.map((pause) => pause.toFixed(1)).join(', ')} s`)
    for (const [at, least] of [1, 2, 4, 8].entries()) {
      assert.ok(
        pauses[at]! >= least && pauses[at]! < least + 3,
        `pause ${at + 1} is ${pauses[at]} s, not about ${least}`,
      )
    }
    const status = lines.join('\n')
    assert.match(status, /^not ready/m)
    assert.match(status, /plasmd +backoff, 4 restarts, last ended: killed by SIGKILL/)
    assert.match(status, /^exit 1$/m)
  },

  'a hung plasmd is killed, and another one runs within 15 s': async (machine, t) => {
    const [line] = await inside(
      machine,
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

  'the agent killed: never two plasmds, one afterwards': async (machine) => {
    const samples = await inside(
      machine,
      `
      read -r agent </run/plasm/agent.pid; kill -KILL "$agent"
      for _ in $(seq 60); do plasmds; sleep 0.2; done
      until_ready; plasmds`,
    )
    const counts = samples.filter((line) => line.trim() !== '').map((line) => numbers(line).length)
    assert.equal(Math.max(...counts), 1, samples.join('\n'))
    assert.equal(numbers(samples.at(-1)!).length, 1)
    assert.notEqual(samples[0], samples.at(-1), 'the one that was left behind is gone')
  },

  'plasmd killed for want of memory: the agent lives, and says so': async (machine) => {
    const lines = await inside(
      machine,
      `
      read -r agent </run/plasm/agent.pid; old=$(plasmd_pid)
      echo 1000 >"/proc/$old/oom_score_adj"; echo f >/proc/sysrq-trigger
      pid=$(new_plasmd "$old") || exit 1
      until_ready; plasm-agent status
      read -r same </run/plasm/agent.pid; [ "$agent" = "$same" ] && echo same`,
    )
    assert.equal(lines.at(-1), 'same')
    assert.match(lines.join('\n'), /last ended: killed by SIGKILL\s+\(out of\s+memory\)/)
  },

  'a plasmd that ignores SIGTERM is killed after 15 s': async (machine, t) => {
    const [line, left] = await inside(
      machine,
      `
      kill -STOP "$(plasmd_pid)" # a stopped process takes no SIGTERM
      from=$(now); /etc/init.d/plasm-agent stop; echo "$from $(now)"; plasmds
      /etc/init.d/plasm-agent start; until_ready`,
    )
    const [from, to] = numbers(line!)
    t.diagnostic(`stopped after ${(to! - from!).toFixed(1)} s`)
    assert.ok(to! - from! >= 14 && to! - from! < 20, `${to! - from!} s`)
    assert.equal(left!.trim(), '', 'none is left')
  },

  '1,000 orphans leave no zombie': async (machine) => {
    const [zombies] = await inside(
      machine,
      `
      for _ in $(seq 1000); do (sh -c 'sleep 0.2 &'); done
      sleep 3; ps -o stat | grep -c '^Z'; until_ready`,
    )
    assert.equal(zombies, '0')
  },
}

test('supervision under busybox init', { skip }, async (t) => {
  await using machine = await keptMachine()
  for (const [name, run] of Object.entries(CASES)) await t.test(name, (t) => run(machine, t))
})
