import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { logDirectory } from './log-directory.ts'
import { openrcPlasmd } from './openrc-owner.ts'
import { ownPlasmd } from './plasmd-process.ts'
import type { ServeSetting, Told } from './serve-setting.ts'
import type { ServiceOwner } from './service-owner.ts'
import { systemdPlasmd } from './systemd-owner.ts'

/** This machine's plasmd, not started yet. */
export function plasmdService(setting: ServeSetting, told: Told): ServiceOwner {
  const { plasmd, runDirectory, supervision, serviceManager } = setting
  const serving = { args: plasmdArguments(told), port: told.config.port }
  if (serviceManager === 'systemd') {
    const files = { optionsFile: join(runDirectory, 'plasmd.env'), endedFile: join(runDirectory, 'plasmd.ended') }
    return systemdPlasmd({ ...serving, ...files })
  }
  const logFile = join(logDirectory(runDirectory), 'plasmd.log')
  if (serviceManager === 'openrc') {
    return openrcPlasmd({ ...serving, argumentsFile: join(runDirectory, 'plasmd.args'), logFile })
  }
  return ownPlasmd({
    command: plasmd,
    ...serving,
    logFile,
    pidFile: join(runDirectory, 'plasmd.pid'),
    limits: supervision,
  })
}

/**
 * The agent advertises, once it has proven what is served (DESIGN decision 9). A foreign plasmd knows the options of INTEROP.md
 * and ends with an error at any other: what only ours knows is not for it. Whether it can listen for both families nobody knows either.
 */
export function plasmdArguments(told: Pick<Told, 'config' | 'foreignPlasmd'>): readonly string[] {
  const { config } = told
  const { storeRoot, channel, arch, port } = config
  return [
    ...['--artifacts', storeRoot, '--channel', channel, '--arch', arch, '--port', String(port)],
    ...(servesIpv6(told) ? ['--bind', '::'] : []),
    ...['--no-mdns', '--no-dht'],
  ]
}

/** Whether plasmd listens for IPv6 beside IPv4: ours does where the kernel has it. */
export function servesIpv6({ foreignPlasmd }: Pick<Told, 'foreignPlasmd'>, inet6File = '/proc/net/if_inet6'): boolean {
  return !foreignPlasmd && existsSync(inet6File)
}
