import { join } from 'node:path'
import { ORIGIN } from './addresses.ts'
import { installCounters } from './counters.ts'
import { startDhcp } from './dhcp.ts'
import { attachNamespace, attachTap, createMiddle } from './links.ts'
import type { NetworkPlan } from './topology.ts'

export interface Network extends AsyncDisposable {
  /** Words that go before a command to run it where the origin is, in a network namespace of its own. */
  readonly inOrigin: readonly string[]
  /** The same for the bystanders, by their names. */
  readonly inBystander: ReadonlyMap<string, readonly string[]>
}

/**
 * Builds the run's network in the network namespace that this runs in: a bridge that carries the harness's address or a router
 * between segments, the origin behind a veth, a tap for each guest, DHCP, and what counts and keeps apart. What participants
 * send each other passes the forward hook of the bridge or router. It all goes with the namespace.
 * @throws PlasmError `network-failed` | `counters-failed`
 */
export async function createNetwork(plan: NetworkPlan, runDir: string): Promise<Network> {
  const { guests, bystanders } = plan
  const middle = await createMiddle(plan.network)
  // First what keeps them apart: nothing passes before it is there.
  await installCounters(plan)
  const inside = (name: string) => join(runDir, `${name}.netns`)
  const inOrigin = await attachNamespace(ORIGIN, inside(ORIGIN.name), middle)
  const inBystander = new Map<string, readonly string[]>()
  for (const one of bystanders) inBystander.set(one.name, await attachNamespace(one, inside(one.name), middle))
  for (const guest of guests) await attachTap(guest, middle)
  const dhcp = await startDhcp(guests, middle.linksTo(guests), runDir)
  return { inOrigin, inBystander, [Symbol.asyncDispose]: dhcp.stop }
}
