import { startupSnapshot } from 'node:v8'
import './hold-still.ts'
// What every start of a machine waits for. The rest of the bundle is read when it is asked for, as in a checkout.
import '../../agent/boot-stage.ts'
import '../../agent/serve.ts'
import '../../agent/serve-stage.ts'
import '../../agent/cli.ts'
import '../../service/cli.ts'
import '../../service/serve-command.ts'
import '@homebridge/ciao'
import 'dns-packet'
import 'undici/lib/dispatcher/client.js'
import 'undici/lib/api/api-request.js'
import { program } from '../../agent/program.ts'

// The executable starts with the heap that is here once all of the above has been loaded, by the Node of its own architecture when the
// image is built (V8's startup snapshot). Where no such Node can be run (executable.ts) it loads it at each start.
if (startupSnapshot.isBuildingSnapshot()) startupSnapshot.setDeserializeMainFunction(program)
else program()
