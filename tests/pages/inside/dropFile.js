// Drops a file, as it is when one comes from the desktop.
;(told) => {
  const { name, type, base64 } = JSON.parse(told)
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  const dataTransfer = new DataTransfer()
  dataTransfer.items.add(new File([bytes], name, { type }))
  for (const kind of ['dragover', 'drop'])
    document
      .querySelector('textarea')
      .dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer }))
}
