/** Files that are pasted anywhere in the page; text goes where it would. */
export function takePastes(give: (files: File[]) => void): void {
  document.addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])]
    if (files.length === 0) return
    event.preventDefault()
    give(files)
  })
}

/** Files that are dropped anywhere in the page; without this the browser would leave it to show them. */
export function takeDrops(give: (files: File[]) => void, show: (dropping: boolean) => void): void {
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false
  document.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    show(true)
  })
  document.addEventListener('dragleave', (event) => {
    // Left for nothing: the pointer is out of the window.
    if (event.relatedTarget === null) show(false)
  })
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    show(false)
    // A folder comes as a file that nobody can read.
    const items = [...(event.dataTransfer?.items ?? [])]
    const isFolder = (item: DataTransferItem) => item.webkitGetAsEntry()?.isDirectory === true
    give(items.flatMap((item) => (item.kind === 'file' && !isFolder(item) ? (item.getAsFile() ?? []) : [])))
  })
}
