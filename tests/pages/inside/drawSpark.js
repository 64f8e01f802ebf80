// Draws one of each of Spark's components, one after another, and tells how many there are and which of them broke the
// page's Content-Security-Policy.
;async (folder) => {
  const broke = new Set()
  const drawn = []
  let current = ''
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, sample }) =>
    broke.add(`${current}: ${violatedDirective} ${sample}`),
  )
  const link = document.createElement('link')
  link.rel = 'stylesheet'
  link.href = `${folder}/tokens.css`
  document.head.append(link)
  await import(`${folder}/genesys-webcomponents.esm.js`)
  const loader = await (await fetch(`${folder}/genesys-webcomponents.esm.js`)).text()
  for (const name of new Set(loader.match(/gux-[a-z0-9-]+(?=",)/g))) {
    if (!customElements.get(name)) continue
    current = name
    const element = document.createElement(name)
    element.textContent = 'text'
    document.body.append(element)
    // Some wait for parts that a page has to give them.
    for (let frames = 0; frames < 40 && !element.hasAttribute('hydrated'); frames++)
      await new Promise((resolve) => requestAnimationFrame(resolve))
    if (element.hasAttribute('hydrated')) drawn.push(name)
    element.remove()
  }
  return { drawn, broke: [...broke] }
}
