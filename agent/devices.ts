import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Init starts the agent beside the drivers (init/init), and removes this file once disks are mounted and links are up. */
const DEVICES_PENDING_FILE = '/run/plasm/devices-pending'
const LOOK_EVERY_MS = 10

/** Waits for what init still does; not at all where the agent was started later. */
export async function devicesAreThere(file = DEVICES_PENDING_FILE): Promise<void> {
  while (existsSync(file)) await sleep(LOOK_EVERY_MS)
}
