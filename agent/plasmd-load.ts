import { providerStatus } from '../service/provider-client.ts'

/** How many transfers plasmd says are running; null where it does not say, as a foreign one may not. */
export async function plasmdLoad(url: string): Promise<number | null> {
  const status = await providerStatus(url).catch(() => ({}) as Record<string, unknown>)
  const running = (status.metrics as Record<string, unknown> | null | undefined)?.transfers_running
  return typeof running === 'number' ? running : null
}
