// Pastes a file, as a screenshot is.
;(told) => {
  const { name, type, base64 } = JSON.parse(told)
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  const clipboardData = new DataTransfer()
  clipboardData.items.add(new File([bytes], name, { type }))
  document
    .querySelector('textarea')
    .dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData }))
}
