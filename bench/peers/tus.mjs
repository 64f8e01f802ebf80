// As its readme says it, with its file store.
import { once } from 'node:events'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

export async function listen(folder) {
  const server = new Server({ path: '/', datastore: new FileStore({ directory: folder }) }).listen(0, '127.0.0.1')
  if (!server.listening) await once(server, 'listening')
  return server.address().port
}
