import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSet } from '../support/boot-set.ts'
import { inInitRoot } from '../support/in-init-root.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { packageTrees } from '../support/package-trees.ts'
import { makeServeMachine } from '../support/serve-machine.ts'
import { makeKey, signSet, writePolicy } from '../support/trust.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false
const namespaces = 'args' in here ? here.args : []

/** Debian's OpenRC, booted by its sysvinit. */
const PACKAGES = ['openrc', 'librc1', 'libeinfo1', 'sysvinit-core']
const INIT = {
  program: '/sbin/init',
  inittab: (script: string) =>
    `id:2:initdefault:\nsi::sysinit:/sbin/openrc sysinit\nrc:2:wait:/sbin/openrc default\nsc:2:once:${script}\n`,
}
/** As a person installs it. */
const INSTALL = `
  touch /etc/insserv.conf
  rm -f /etc/runlevels/*/*
  cp /etc/plasm/openrc/* /etc/init.d/
  ln -s /etc/init.d/plasm-agent /etc/runlevels/default/plasm-agent
  rm -rf /etc/plasm/trust; cp -r "$OUTPUT/trust" /etc/plasm/trust
  cp -a "$OUTPUT/store/." /var/lib/plasm/boot-artifacts/
  ip link add eth0 type veth peer name wire; ip link set wire up
  ip link set eth0 up; ip address add 192.168.77.11/24 dev eth0
`

/** A small signed set, as kexec hands it over, and whom the machine trusts. */
async function prepare(output: string): Promise<void> {
  const key = makeKey()
  const at = await makeServeMachine()
  try {
    await at.handOver(signSet(makeSet({ sequence: 3 }), key))
    await cp(at.store, join(output, 'store'), { recursive: true })
  } finally {
    await at.remove()
  }
  await writePolicy(join(output, 'trust/policy.toml'), [key])
}

const SCRIPT = `
child() { cat /run/openrc/options/$1/child_pid; } 2>/dev/null
crashed() { another_child plasmd "$1" || [ -e /run/openrc/failed/plasmd ]; }
another_child() { new=$(child "$1") && [ "$new" != "$2" ]; }

until_so ready
step 'agent' rc-service plasm-agent status
step 'plasmd' rc-service plasmd status
grep -q '"managedBy": "openrc"' /run/plasm/status.json && note 'managed by openrc'

# A crash.
old=$(child plasmd); kill -KILL "$old"; until_so another_child plasmd "$old"; until_so ready
grep -q '"restarts": 1' /run/plasm/status.json && note '1 restart'
until_so one_each; note "$(running plasm-agent) agent, $(running plasmd) plasmd"

# A hung one.
old=$(child plasmd); from=$(now); kill -STOP "$old"; until_so another_child plasmd "$old"
[ $(($(now) - from)) -le 15 ] && note 'another one within 15 s'
until_so ready

# The agent killed: plasmd goes on.
old=$(child plasmd); agent=$(child plasm-agent); kill -KILL "$agent"
until_so another_child plasm-agent "$agent"; until_so ready
[ "$old" = "$(child plasmd)" ] && note 'the same plasmd'

# The configuration read again: a plasmd that it does not change goes on, else it is restarted.
agent=$(child plasm-agent); step 'reload' rc-service plasm-agent reload
until_so another_child plasm-agent "$agent"; until_so ready
[ "$old" = "$(child plasmd)" ] && note 'the same plasmd'
echo 'port = 8081' >/etc/plasm/agent.toml
agent=$(child plasm-agent); step 'reload' rc-service plasm-agent reload
until_so another_child plasm-agent "$agent"; until_so another_child plasmd "$old"; until_so ready
case $(tr '\\0' ' ' <"/proc/$(child plasmd)/cmdline") in *"--port 8081 "*) note 'another port' ;; esac

# The supervisor killed.
old=$(child plasmd); kill -KILL "$(cat /run/plasmd.pid)"; until_so another_child plasmd "$old"; until_so ready
step 'plasmd' rc-service plasmd status
note "$(running plasmd) plasmd"

# A crash loop: OpenRC gives up, status says so.
for _ in 1 2 3 4 5 6; do old=$(child plasmd); [ -z "$old" ] || kill -KILL "$old"; until_so crashed "$old"; done
given_up() { plasm-agent status | tr '\n' ' ' | grep 'openrc has given up on plasmd'; }
until_so given_up && note 'given up, and said so'
step 'status' plasm-agent status
step 'start by hand' rc-service plasmd start; until_so ready

# The end.
step 'stop' rc-service plasm-agent stop
step 'agent' rc-service plasm-agent status; step 'plasmd' rc-service plasmd status
note "$(running plasm-agent) agents, $(running plasmd) plasmds"
step 'plasmd alone' rc-service plasmd status
step 'start' rc-service plasm-agent start; until_so ready
kill -KILL "$(child plasm-agent)"; step 'stop, the agent killed' rc-service plasm-agent stop
note "$(running plasm-agent) agents, $(running plasmd) plasmds"`

test('OpenRC restarts plasmd by supervise-daemon, and the agent asks it to', { skip }, async () => {
  const trees = await packageTrees('openrc', PACKAGES)
  const { steps, said } = await inInitRoot(SCRIPT, {
    shell: 'sh',
    namespaces,
    trees,
    prepare,
    init: INIT,
    first: INSTALL,
  })
  assert.deepEqual(
    steps,
    [
      ...['agent 0', 'plasmd 0', 'managed by openrc'],
      ...['1 restart', '1 agent, 1 plasmd', 'another one within 15 s'],
      ...['the same plasmd', 'reload 0', 'the same plasmd', 'reload 0', 'another port'],
      ...['plasmd 0', '1 plasmd'],
      ...['given up, and said so', 'status 1', 'start by hand 0'],
      ...['stop 0', 'agent 3', 'plasmd 3', '0 agents, 0 plasmds', 'plasmd alone 3'],
      ...['start 0', 'stop, the agent killed 0', '0 agents, 0 plasmds'],
    ],
    said,
  )
})
