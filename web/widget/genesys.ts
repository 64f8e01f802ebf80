import { isFramed } from '../shared/page.ts'

/** What we use of Genesys' SDK for embedded apps. */
interface ClientApp {
  lifecycle: { bootstrapped(): void }
  conversations: { proposeInteractionMessage(mode: 'insert', text: string): void }
}

/**
 * Puts a text into the agent's message box, for them to read and send. Null where we do not stand in Genesys Cloud's desktop,
 * or the widget's address does not say in which: the SDK throws then.
 */
export async function messageBox(): Promise<((text: string) => void) | null> {
  const query = new URLSearchParams(location.search)
  if (!isFramed || !query.get('gcHostOrigin') || !query.get('gcTargetEnv')) return null
  try {
    const { default: Sdk } = await import('../vendor/purecloud-client-app-sdk/purecloud-client-app-sdk-c3a00965.min.js')
    const app: ClientApp = new Sdk({ gcHostOriginQueryParam: 'gcHostOrigin', gcTargetEnvQueryParam: 'gcTargetEnv' })
    app.lifecycle.bootstrapped()
    return (text) => app.conversations.proposeInteractionMessage('insert', text)
  } catch {
    // An environment that the SDK does not know: everything else works without it.
    return null
  }
}
