import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inInitRoot, type Shell } from '../support/in-init-root.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { UNDER_INIT, underInitSteps } from '../support/under-init.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false
const namespaces = 'args' in here ? here.args : []

/** busybox init, with what the inittab of our images has about the agent. */
const BUSYBOX_INIT = {
  program: 'busybox init',
  inittab: (script: string) => `::respawn:/etc/init.d/plasm-agent run\n::once:${script}\n`,
}
/** A process of another user is none that an unprivileged namespace could make. */
const isRoot = process.geteuid?.() === 0

const SHELLS: readonly Shell[] = ['sh', 'busybox']

for (const shell of SHELLS) {
  test(`LSB exit codes where nothing runs, by ${shell}`, { skip }, async () => {
    const { steps, said } = await inInitRoot(
      `
      cd /etc/init.d
      for service in plasm-agent plasmd plasm-network; do
        step "$service" ./$service; step "$service nonsense" ./$service nonsense
        step "$service status" ./$service status; step "$service try-restart" ./$service try-restart
        step "$service reload" ./$service reload
      done
      step 'plasm-agent stop' ./plasm-agent stop
      step 'plasmd stop' ./plasmd stop
      ${isRoot ? "step 'start by nobody' /usr/bin/setpriv --reuid 65534 ./plasm-agent start" : ''}
      echo 4194304 >/run/plasm/agent.pid; step 'pid of nobody' ./plasm-agent status
      echo $$ >/run/plasm/agent.pid; step 'pid of another program' ./plasm-agent status
      mv /etc/plasm/trust/policy.toml /tmp; step 'without trust' ./plasm-agent start
      rm /usr/local/bin/plasm-agent; step 'without the program' ./plasm-agent start
      rm /etc/plasm/udhcpc.script; step 'without a DHCP client' ./plasm-network start`,
      { shell, namespaces },
    )
    assert.deepEqual(
      steps,
      [
        ...['plasm-agent 2', 'plasm-agent nonsense 2', 'plasm-agent status 3', 'plasm-agent try-restart 0'],
        'plasm-agent reload 3',
        ...['plasmd 2', 'plasmd nonsense 2', 'plasmd status 3', 'plasmd try-restart 0', 'plasmd reload 3'],
        ...['plasm-network 2', 'plasm-network nonsense 2', 'plasm-network status 3', 'plasm-network try-restart 0'],
        'plasm-network reload 7',
        ...['plasm-agent stop 0', 'plasmd stop 3', ...(isRoot ? ['start by nobody 4'] : [])],
        ...['pid of nobody 1', 'pid of another program 1'],
        ...['without trust 6', 'without the program 5', 'without a DHCP client 5'],
      ],
      said,
    )
  })

  test(`sysvinit without an inittab line: start leaves a loop that restarts the agent, by ${shell}`, {
    skip,
  }, async () => {
    const { steps, said } = await inInitRoot(
      `
      agent=/etc/init.d/plasm-agent
      step start $agent start
      step status $agent status
      until_so pid plasmd
      step 'plasmd status' /etc/init.d/plasmd status
      old=$(pid agent); step 'start again' $agent start
      [ "$old" = "$(pid agent)" ] && note 'the same agent'

      was=$(pid plasmd); kill -KILL "$old"; sleep 0.5; step 'killed' $agent status
      until_so another agent "$old"; step 'after its restart' $agent status
      until_so another plasmd "$was"; until_so one_each; note "$(running plasm-agent) agent, $(running plasmd) plasmd"

      old=$(pid plasmd); step 'plasmd restart' /etc/init.d/plasmd restart
      [ "$old" != "$(pid plasmd)" ] && note 'another plasmd'
      old=$(pid plasmd); step 'plasmd try-restart' /etc/init.d/plasmd try-restart
      [ "$old" != "$(pid plasmd)" ] && note 'another plasmd'

      old=$(pid agent); kill -KILL "$(pid agent-loop)"; sleep 0.2
      step 'start without the loop' $agent start; sleep 3
      [ "$old" = "$(pid agent)" ] && note "the same agent, $(running plasm-agent) in all"
      kill -KILL "$old"; until_so another agent "$old"; step 'the new loop' $agent status

      old=$(pid agent); step restart $agent restart
      [ "$old" != "$(pid agent)" ] && note 'another agent'
      old=$(pid agent); step try-restart $agent try-restart
      [ "$old" != "$(pid agent)" ] && note 'another agent'
      until_so pid plasmd; kill -STOP "$(pid agent)"; kill -KILL "$(pid agent-loop)"
      kill -KILL "$(pid agent)"; step 'stop, the agent killed' $agent stop
      note "$(running plasm-agent) agents, $(running plasmd) plasmds"
      step 'status' $agent status
      step 'plasmd restart' /etc/init.d/plasmd restart
      step stop $agent stop; step 'stop again' $agent stop; step status $agent status
      sleep 3; note "$(running plasm-agent) agents, $(running plasmd) plasmds"; note "left: $(ls /run/plasm | grep -c pid)"`,
      { shell, namespaces },
    )
    assert.deepEqual(
      steps,
      [
        ...['start 0', 'status 0', 'plasmd status 0', 'start again 0', 'the same agent'],
        ...['killed 1', 'after its restart 0', '1 agent, 1 plasmd'],
        ...['plasmd restart 0', 'another plasmd', 'plasmd try-restart 0', 'another plasmd'],
        ...['start without the loop 0', 'the same agent, 1 in all', 'the new loop 0'],
        ...['restart 0', 'another agent', 'try-restart 0', 'another agent'],
        ...['stop, the agent killed 0', '0 agents, 0 plasmds', 'status 3', 'plasmd restart 0'],
        ...['stop 0', 'stop again 0', 'status 3', '0 agents, 0 plasmds', 'left: 0'],
      ],
      said,
    )
  })
}

test('busybox init with its inittab line is the one owner: start and stop say whether the agent may run', {
  skip,
}, async () => {
  const { steps, said } = await inInitRoot(UNDER_INIT, { shell: 'busybox', namespaces, init: BUSYBOX_INIT })
  assert.deepEqual(steps, underInitSteps(false), said)
})

test('plasm-network: one DHCP client for each interface, renewed and stopped', { skip }, async () => {
  const { steps, said } = await inInitRoot(
    `
    ip link add eth0 type veth peer name wire
    network=/etc/init.d/plasm-network
    step start $network start; sleep 0.5; step status $network status
    step 'start again' $network start; note "$(pidof udhcpc | wc -w) clients"
    step reload $network reload; step restart $network restart; sleep 0.5
    note "$(pidof udhcpc | wc -w) clients"; step try-restart $network try-restart; sleep 0.5
    step stop $network stop; step status $network status`,
    { shell: 'busybox', namespaces },
  )
  assert.deepEqual(
    steps,
    [
      ...['start 0', 'status 0', 'start again 0', '2 clients', 'reload 0', 'restart 0', '2 clients', 'try-restart 0'],
      ...['stop 0', 'status 3'],
    ],
    said,
  )
})
