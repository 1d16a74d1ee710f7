import type { Socket } from 'node:dgram'
import type { CiaoService, Responder } from '@homebridge/ciao'

/** What is used of ciao beyond its interface, and why, stands in ciao-*.ts. package.json pins it. */
export interface ResponderInternals {
  probe(service: CiaoService): Promise<void>
  readonly server: {
    createDgramSocket(name: string, reuseAddr?: boolean, type?: 'udp4' | 'udp6'): Socket
    handleMessage(name: string, data: Buffer, from: { address: string; port: number }, family: 'IPv4' | 'IPv6'): void
    readonly networkManager: {
      restrictedInterfaces?: string[]
      currentTimer?: NodeJS.Timeout
      checkForNewInterfaces(): Promise<void>
    }
  }
}

export interface ServiceInternals {
  serviceState: string
  name: string
  hostname: string
  loweredHostname: string
  restrictedAddresses?: Map<string, readonly string[]>
  advertisesOnInterface(name: string, skipAddressCheck?: boolean): boolean
  incrementName(checkOnly?: boolean): void
  rebuildServiceRecords(): void
}

export const insideResponder = (responder: Responder) => responder as unknown as ResponderInternals
export const insideService = (service: CiaoService) => service as unknown as ServiceInternals
