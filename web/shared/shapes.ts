// What the service answers, as far as pages read it; tests/pages/shapes.test.ts holds it against the service's own types.

export interface Verdict {
  engine: string
  verdict: 'clean' | 'infected' | 'unscannable' | 'failed'
  detail?: string
  signatures?: string
  at: string
}

export interface Attachment {
  id: string
  state: 'accepted' | 'refused' | 'quarantined' | 'recalled' | 'erased' | 'fetching' | 'unfetched'
  code: string | null
  detail: string | null
  door: 'push' | 'gateway' | 'pull'
  conversationId: string | null
  messageId: string | null
  filename: string | null
  type: string | null
  declaredType: string | null
  size: number | null
  sha256: string | null
  scan: 'required' | 'off'
  verdicts: Verdict[]
  confirmation: {
    state: 'pending' | 'delivered' | 'parked' | 'dropped' | 'off'
    way: 'message' | 'agentless' | 'attributes' | null
    at: string | null
    possiblyRepeated?: boolean
  } | null
  receivedAt: string
  agentMayHaveSeen?: true
  sentBy?: 'agent' | 'bot'
}

export interface Session {
  who: { id: string; name: string }
  role: 'agent' | 'admin' | 'reader'
  seesAll: boolean
  mayOriginals: boolean
  expiresAt: string
}

/** How people may sign in here. */
export interface SignInWays {
  genesys: { authorizeUrl: string; clientId: string; redirectUri: string } | null
  local: boolean
  /** Null: nobody is signed in. */
  session: Session | null
  /** False: whether there is one cannot be known now. */
  known: boolean
}

export interface FileLink {
  id: string
  url: string
  of: 'safe_copy' | 'original'
  expiresAt: string
}
