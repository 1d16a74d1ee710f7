import type { CiaoService } from '@homebridge/ciao'
import type { ResponderInternals, ServiceInternals } from './ciao-internals.ts'

/**
 * A responder that knows by other means that a name cannot be in use should not probe for it (RFC 6762, 8.1). ciao has no
 * switch for that, so its first probe for this service is answered here; were somebody to claim the name after all, the
 * conflict is found by the announcement (section 9) and ciao's own probing runs.
 */
export function skipProbing(responder: ResponderInternals, service: ServiceInternals): void {
  const probe = responder.probe.bind(responder)
  let skipped = false
  responder.probe = async (candidate) => {
    if ((candidate as unknown) !== service || skipped) return probe(candidate as CiaoService)
    skipped = true
    service.serviceState = 'probed'
  }
}

/** Where somebody has the name, ciao calls the host `name-(2)`, which is no host name (RFC 1123, 2.1): `name-2` is. */
export function mendHostNames(service: ServiceInternals): void {
  const increment = service.incrementName.bind(service)
  service.incrementName = (checkOnly) => {
    increment(checkOnly)
    service.hostname = plainNumber(service.hostname)
    service.loweredHostname = plainNumber(service.loweredHostname)
    if (!checkOnly) service.rebuildServiceRecords()
  }
}

/** At another conflict ciao adds another number to this one: `name-2-3`. A machine's own name may end in digits. */
export const plainNumber = (host: string): string => host.replace(/-\((\d+)\)(?=\.)/, '-$1')
