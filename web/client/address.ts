/** A path of the service, whose address may have a path of its own, and may be relative to the page. */
export function serviceUrl(url: string, path: string): URL {
  return new URL(path, new URL(url.endsWith('/') ? url : `${url}/`, location.href))
}
