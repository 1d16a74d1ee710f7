/** What init.d scripts do under an init that starts the agent at boot. */
export const UNDER_INIT = `
  agent=/etc/init.d/plasm-agent
  step start $agent start
  until_so pid plasmd
  [ -e /run/plasm/agent-loop.pid ] && note 'a loop'
  old=$(pid agent); was=$(pid plasmd); kill -KILL "$old"
  until_so another agent "$old"; until_so another plasmd "$was"; until_so one_each
  step 'after its restart' $agent status
  note "$(running plasm-agent) agent, $(running plasmd) plasmd"
  step stop $agent stop; sleep 3; step 'stopped' $agent status
  note "$(running plasm-agent) agents, $(running plasmd) plasmds"
  step 'start again' $agent start
  old=$(pid agent); step restart $agent restart
  [ "$old" != "$(pid agent)" ] && note 'another agent'
  step 'at the end' $agent status`

/** @param loop whether it is the scripts' own loop that restarts the agent */
export const underInitSteps = (loop: boolean) => [
  ...['start 0', ...(loop ? ['a loop'] : []), 'after its restart 0', '1 agent, 1 plasmd'],
  ...['stop 0', 'stopped 3', '0 agents, 0 plasmds'],
  ...['start again 0', 'restart 0', 'another agent', 'at the end 0'],
]
