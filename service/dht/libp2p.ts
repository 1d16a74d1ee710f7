/** All that libp2p is loaded for. Nothing imports this but load.ts, which says why. */
export { advertiseByDht } from './advertise.ts'
export { openDhtClient } from './client.ts'
