// One server that takes uploads: node peer.mjs NAME FOLDER. Says where it listens, and ends with its parent.
const [name, folder] = process.argv.slice(2)
const { listen } = await import(`./${name}.mjs`)
process.on('disconnect', () => process.exit())
process.send({ port: await listen(folder) })
