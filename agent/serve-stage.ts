import { plasmdService } from './plasmd-service.ts'
import { configure, type ServeSetting, type Told, thisMachine } from './serve-setting.ts'
import type { ServiceOwner } from './service-owner.ts'

/**
 * `plasm-agent serve`: the serve stage of this machine. plasmd takes as long to start as the rest of the agent takes to load,
 * so it starts first; it serves whatever the store holds, so it need not hold anything yet. @returns an exit code
 */
export async function serveStage(): Promise<number> {
  const setting = thisMachine()
  const told = configure(setting)
  const plasmd = await told.then((told) => startPlasmd(setting, told)).catch(() => undefined)
  const { serve } = await import('./serve.ts')
  // A configuration that is wrong is told by the step that reads it.
  return serve({}, { told, plasmd })
}

function startPlasmd(setting: ServeSetting, told: Told): ServiceOwner {
  const plasmd = plasmdService(setting, told)
  if (told.config.mode !== 'private') plasmd.start()
  return plasmd
}
