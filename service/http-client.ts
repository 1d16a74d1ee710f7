import type { Client as UndiciClient } from 'undici'

/** undici's client for one origin: keep-alive, limits on every wait, no redirects. */
export type HttpClient = UndiciClient

/**
 * Opens a client, loading no more of undici than that takes. Its whole index brings fetch, caches and WebSockets along, and
 * in a guest under emulation loading it and making the first request took 1.9 s, this part 0.7 s: both stages of a boot
 * wait for it. The two modules are undici's own, which package.json pins.
 */
export async function openClient(origin: string | URL, options: UndiciClient.Options): Promise<HttpClient> {
  const [{ default: Client }, { default: request }] = await Promise.all([
    // @ts-expect-error: undici has types for its index only
    import('undici/lib/dispatcher/client.js') as Promise<{ default: typeof UndiciClient }>,
    // @ts-expect-error: undici has types for its index only
    import('undici/lib/api/api-request.js') as Promise<{ default: UndiciClient['request'] }>,
  ])
  return Object.assign(new Client(origin, options), { request })
}
