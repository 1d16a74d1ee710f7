import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'
import type { GuestPlace } from './addresses.ts'

const DNSMASQ_START_MS = 300

/**
 * dnsmasq with a fixed lease for each guest, and on each segment the harness's address there as the router; `--no-ping` leaves
 * out its address check, three seconds a boot.
 * @param links where it answers
 * @throws PlasmError `network-failed`
 */
export async function startDhcp(
  guests: readonly GuestPlace[],
  links: readonly string[],
  runDir: string,
): Promise<{ stop(): Promise<void> }> {
  const log = join(runDir, 'dnsmasq.log')
  const args = dhcpArguments(guests, links, join(runDir, 'dhcp.leases'))
  const dnsmasq = execa('dnsmasq', args, { stdin: 'ignore', stdout: 'ignore', stderr: { file: log }, reject: false })
  const early = await Promise.race([dnsmasq, sleep(DNSMASQ_START_MS)])
  if (early) {
    throw new PlasmError('network-failed', `dnsmasq ended at once: ${early.shortMessage}`, {
      facts: { step: 'network' },
      hint: `see ${log}`,
    })
  }
  return {
    async stop() {
      dnsmasq.kill()
      await dnsmasq
    },
  }
}

/** One range for each segment that has guests, told apart by the link that a request comes in on. */
export function dhcpArguments(guests: readonly GuestPlace[], links: readonly string[], leases: string): string[] {
  const gateways = [...new Set(guests.map(({ gateway }) => gateway))]
  const tag = (gateway: string) => `segment${gateway.split('.')[2]}`
  return [
    // Not a daemon: it stays root of its user namespace (where setgroups is refused) and logs to stderr.
    '--no-daemon',
    ...['-C', '/dev/null', '--port=0', '--bind-interfaces', '--no-ping', '--log-dhcp'],
    ...links.map((link) => `--interface=${link}`),
    ...gateways.flatMap((gateway) => [
      `--dhcp-range=set:${tag(gateway)},${gateway.replace(/\d+$/, '0')},static,255.255.255.0,1h`,
      `--dhcp-option=tag:${tag(gateway)},option:router,${gateway}`,
    ]),
    ...guests.map(({ mac, address, name }) => `--dhcp-host=${mac},${address},${name}`),
    `--dhcp-leasefile=${leases}`,
  ]
}
