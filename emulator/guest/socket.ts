import { randomUUID } from 'node:crypto'
import { org } from '../org.ts'
import type { SocketDoor } from '../sockets.ts'
import type { Switches } from '../switches.ts'
import type { Frame } from './frames.ts'
import { isAllowedOrigin } from './origin.ts'
import type { GuestPaces } from './pace.ts'
import { GuestPace } from './refusal.ts'
import type { Guest } from './requests.ts'
import type { Sessions } from './sessions.ts'

interface Parts {
  sessions: Sessions
  switches: Switches
  paces: GuestPaces
  take: (guest: Guest, text: string) => void
}

/** The guest socket at `/v1?deploymentId=…`: one JSON text per frame. */
export function guestSocket({ sessions, switches, paces, take }: Parts): SocketDoor {
  return {
    kind: 'guest',
    serves: (path) => path === '/v1',
    /** 403 is what clients take as final; that an unknown deployment gets it, and 429 for too many, is UNCONFIRMED. */
    admit({ searchParams }, { headers }) {
      if (searchParams.get('deploymentId') !== org.deploymentId) return 403
      if (!isAllowedOrigin(headers.origin, switches.allowedDomains)) return 403
      try {
        paces.count('connectionsOfDeployment', org.deploymentId)
        return 101
      } catch (error) {
        if (error instanceof GuestPace) return 429
        throw error
      }
    },
    opened(socket) {
      const connection = {
        send: (frame: Frame) => socket.send(JSON.stringify(frame)),
        close: () => socket.close(1000),
      }
      const guest: Guest = { id: randomUUID(), connection }
      socket.on('message', (data) => take(guest, String(data)))
      socket.on('error', () => socket.terminate())
      socket.on('close', () => {
        if (guest.session) sessions.disconnect(guest.session, connection)
      })
    },
  }
}
