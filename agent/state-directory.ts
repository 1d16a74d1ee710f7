/**
 * What a machine keeps between boots: its node key and the releases that it has used. On a data disk; where none is mounted
 * here there is no such directory, and nothing lasts.
 */
export const STATE_DIRECTORY = '/var/lib/plasm/state'

/** What lasts for one boot: status, logs, pids, counters. RAM. */
export const RUN_DIRECTORY = '/run/plasm'
