// Plays the desktop: shows the widget in a frame, and keeps what the widget tells it.
;(attributes) => {
  window.heard = []
  window.addEventListener('message', ({ data, origin }) => window.heard.push({ data, origin }))
  const frame = document.createElement('iframe')
  for (const [name, value] of Object.entries(JSON.parse(attributes))) frame.setAttribute(name, value)
  frame.width = 400
  frame.height = 600
  document.body.append(frame)
}
