import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namespacesHere } from '../support/in-namespaces.ts'
import { keptMachine } from '../support/kept-machine.ts'
import { commonCases, inside, type ManagerTools, numbers, type SupervisionCase } from '../support/supervision-cases.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

const BUSYBOX: ManagerTools = {
  plasmdPid: 'read -r pid _ </run/plasm/plasmd.pid && echo "$pid"',
  agentPid: 'cat /run/plasm/agent.pid',
  stopAgent: '/etc/init.d/plasm-agent stop',
  startAgent: '/etc/init.d/plasm-agent start',
  // A stopped process takes no SIGTERM.
  deafen: 'kill -STOP "$(plasmd_pid)"',
  undeafen: ':',
}

const CASES: Readonly<Record<string, SupervisionCase>> = {
  'a crash loop: the pauses grow from a second, and status says why': async (machine, t) => {
    const lines = await inside(
      machine,
      BUSYBOX,
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
    assert.match(
      status,
      /plasmd +ended,\s+is\s+started\s+again\s+in\s+\d+\s+s,\s+4\s+restarts\s+by\s+the\s+agent,\s+last\s+ended:\s+killed\s+by\s+SIGKILL/,
    )
    assert.match(status, /^exit 1$/m)
  },

  'the agent killed: never two plasmds, one afterwards': async (machine) => {
    const samples = await inside(
      machine,
      BUSYBOX,
      `
      kill -KILL "$(agent_pid)"
      for _ in $(seq 60); do plasmds; sleep 0.2; done
      until_ready; plasmds`,
    )
    const counts = samples.filter((line) => line.trim() !== '').map((line) => numbers(line).length)
    assert.equal(Math.max(...counts), 1, samples.join('\n'))
    assert.equal(numbers(samples.at(-1)!).length, 1)
    assert.notEqual(samples[0], samples.at(-1), 'the one that was left behind is gone')
  },

  '1,000 orphans leave no zombie': async (machine) => {
    const [zombies] = await inside(
      machine,
      BUSYBOX,
      `
      for _ in $(seq 1000); do (sh -c 'sleep 0.2 &'); done
      sleep 3; ps -o stat | grep -c '^Z'; until_ready`,
    )
    assert.equal(zombies, '0')
  },
}

test('supervision under busybox init', { skip }, async (t) => {
  await using machine = await keptMachine()
  for (const [name, run] of Object.entries({ ...commonCases(BUSYBOX), ...CASES }))
    await t.test(name, (t) => run(machine, t))
})
