/**
 * Loads libp2p, which takes a process 67 MB of memory and a slow guest some seconds: called where the DHT is in use, and nowhere else.
 * In the executable it is a second script beside the agent's, which is then not even read at a start without it (images/executable.ts).
 */
export const loadDht = (): Promise<typeof import('./libp2p.ts')> => import('./libp2p.ts')
