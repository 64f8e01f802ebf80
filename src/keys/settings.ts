/** Where the master keys come from. The text of `environment` is a secret, and is handed in beside it. */
export type KeySettings =
  /** `kms`: the id or ARN of the AWS KMS key that encrypts new ones; null: they lie in the file as they are. */
  | { from: 'file'; path: string; kms: string | null }
  | { from: 'environment' }
  /** A program and its arguments, whose standard output is the text of a key file. */
  | { from: 'command'; command: string[] }
