// As its readme says it: `dest`, and one file of a form.
import { once } from 'node:events'
import express from 'express'
import multer from 'multer'

export async function listen(folder) {
  const app = express()
  app.post('/', multer({ dest: folder }).single('file'), (request, response) => {
    response.json({ path: request.file.path })
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}
