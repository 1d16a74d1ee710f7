/**
 * What a machine keeps between boots: its node key and the releases that it has used. On a data disk; where none is mounted
 * here there is no such directory, and nothing lasts.
 */
export const STATE_DIRECTORY = '/var/lib/plasm/state'

/** Logs, where a data disk is mounted; elsewhere they lie in {@link RUN_DIRECTORY} (log-directory.ts). */
export const LOG_DIRECTORY = '/var/lib/plasm/log'

/** What lasts for one boot: status, logs, pids, counters. RAM. */
export const RUN_DIRECTORY = '/run/plasm'
