import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { namespacesHere } from '../support/in-namespaces.ts'
import { keptMachine } from '../support/kept-machine.ts'
import { commonCases, inside, type ManagerTools, numbers, type SupervisionCase } from '../support/supervision-cases.ts'
import { openTerminal } from '../support/terminal.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

const SYSTEMD: ManagerTools = {
  plasmdPid: 'pid=$(systemctl show -P MainPID plasmd.service) && [ "$pid" -gt 0 ] && echo "$pid"',
  agentPid: 'systemctl show -P MainPID plasm-agent.service',
  stopAgent: 'systemctl stop plasm-agent.service',
  startAgent: 'systemctl start --no-block plasm-agent.service',
  // A stopped one would be continued by systemd; so it is asked by a signal that nobody minds.
  deafen: `mkdir -p /run/systemd/system/plasmd.service.d &&
    printf '[Service]\\nKillSignal=SIGWINCH\\n' >/run/systemd/system/plasmd.service.d/deaf.conf && systemctl daemon-reload`,
  undeafen: 'rm -r /run/systemd/system/plasmd.service.d && systemctl daemon-reload',
}
const HARNESS = fileURLToPath(new URL('../../host-harness/cli.ts', import.meta.url))
const LOGIN_WITHIN_MS = 120_000
const TOP_EXPOSURE = 2

const CASES: Readonly<Record<string, SupervisionCase>> = {
  'the units are what systemd wants them to be, and plasmd is confined': async (machine, t) => {
    const lines = await inside(
      machine,
      SYSTEMD,
      `
      systemd-analyze verify plasmd.service plasm-agent.service plasm-ready.target plasm-host-shell.service 2>&1
      echo verified
      systemd-analyze security --no-pager plasmd.service | tail -n 1
      systemctl is-active plasm-ready.target
      systemctl --failed --no-legend --plain`,
    )
    assert.equal(lines[0], 'verified', lines.join('\n'))
    const exposure = Number(/level for plasmd\.service: ([\d.]+)/.exec(lines[1]!)?.[1])
    t.diagnostic(`exposure ${exposure}`)
    assert.ok(exposure <= TOP_EXPOSURE, lines[1])
    assert.deepEqual(lines.slice(2), ['active'], 'plasm-ready.target, and no unit that failed')
  },

  'a person logs in on the console': async (machine, t) => {
    const words = [process.execPath, HARNESS, 'console', '--run', machine.runDir, 'vm1']
    const terminal = openTerminal(words, LOGIN_WITHIN_MS)
    t.after(terminal.stop)
    terminal.type('\r')
    await terminal.until(/login: /)
    terminal.type('root\r')
    await terminal.until(/root@plasm-\w+:~# /)
    terminal.type('plasm-agent status | head -n 1; echo logged in as $(id -un) $((6*7))\r')
    await terminal.until(/^ready\s+logged in as root 42/m)
    terminal.type('exit\r\x1d')
    assert.equal(await terminal.end(), 0)
  },

  'plasm-agent finds its way around': async (machine) => {
    const { stdout } = await machine.sh('plasm-agent status --json; plasm-agent logs plasmd -n 3; plasm-agent doctor')
    const [status, ...rest] = stdout.split('\n')
    assert.equal(JSON.parse(status!).plasmd.managedBy, 'systemd')
    assert.match(rest.join('\n'), /plasmd\[\d+\]: \{.*serving/)
    assert.match(rest.join('\n'), /nothing is wrong/)
  },

  'the agent killed: plasmd goes on, and there is one': async (machine) => {
    const samples = await inside(
      machine,
      SYSTEMD,
      `
      old=$(agent_pid); plasmds; kill -KILL "$old"
      for _ in $(seq 20); do plasmds; sleep 0.2; done
      until [ "$(agent_pid)" != "$old" ] && [ "$(agent_pid)" != 0 ]; do sleep 0.2; done
      until_ready; plasmds`,
    )
    const seen = samples.filter((line) => line.trim() !== '')
    assert.deepEqual([...new Set(seen)], [seen[0]], samples.join('\n'))
    assert.equal(numbers(seen[0]!).length, 1)
  },

  'a crash loop ends at the start limit, status says so, and a person can start it again': async (machine) => {
    const lines = await inside(
      machine,
      SYSTEMD,
      `
      systemctl restart plasmd.service && systemctl reset-failed plasmd.service && until_ready
      for _ in $(seq 200); do # every life of it is cut short
        [ "$(systemctl is-active plasmd.service)" != failed ] || break
        pid=$(plasmd_pid) && kill -KILL "$pid"
        sleep 0.3
      done
      for _ in $(seq 50); do plasm-agent status | grep -q 'plasmd *failed' && break; sleep 0.5; done
      plasm-agent status; echo "exit $?"; systemctl is-active plasm-ready.target
      systemctl reset-failed plasmd.service; systemctl start plasmd.service; until_ready
      for _ in $(seq 50); do systemctl --quiet is-active plasm-ready.target && break; sleep 0.2; done
      systemctl is-active plasm-ready.target`,
    )
    const status = lines.join('\n')
    assert.match(status, /^not ready/m)
    assert.match(status, /plasmd +failed, .*by systemd, last\s+ended:\s+killed\s+by\s+SIGKILL/s)
    assert.match(status, /systemctl\s+reset-failed/)
    assert.match(status, /^exit 1\ninactive\n/m)
    assert.equal(lines.at(-1), 'active')
  },
}

test('supervision under systemd', { skip }, async (t) => {
  await using machine = await keptMachine('--generations', '1', '--rootfs', 'debian')
  for (const [name, run] of Object.entries({ ...CASES, ...commonCases(SYSTEMD) }))
    await t.test(name, (t) => run(machine, t))
})
