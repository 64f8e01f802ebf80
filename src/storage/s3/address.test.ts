import { describe, expect, it } from 'vitest'
import { readS3Address } from './address.ts'

const plain = {
  bucket: 'files',
  prefix: '',
  endpoint: null,
  region: null,
  forcePathStyle: false,
  encryption: null,
  objectLock: null,
}

describe('an address of an S3 store', () => {
  it.each([
    ['s3://files', plain],
    ['s3://files/', plain],
    ['s3://my.files-1/a/b.c', { ...plain, bucket: 'my.files-1', prefix: 'a/b.c/' }],
    ['s3://files/a/?region=eu-central-1', { ...plain, prefix: 'a/', region: 'eu-central-1' }],
    [
      's3://files?endpoint=https://s3.example.com:9000&forcePathStyle=true',
      { ...plain, endpoint: 'https://s3.example.com:9000', region: 'us-east-1', forcePathStyle: true },
    ],
    [
      's3://files?endpoint=https%3A%2F%2Fs3.example.com%2F&region=dc1',
      { ...plain, endpoint: 'https://s3.example.com', region: 'dc1' },
    ],
    ['s3://files?endpoint=http://127.0.0.1:9000', { ...plain, endpoint: 'http://127.0.0.1:9000', region: 'us-east-1' }],
    ['s3://files?endpoint=http://[::1]:9000', { ...plain, endpoint: 'http://[::1]:9000', region: 'us-east-1' }],
    [
      's3://files?endpoint=http://ceph:9000&insecure=true',
      { ...plain, endpoint: 'http://ceph:9000', region: 'us-east-1' },
    ],
    ['s3://files?sse=AES256', { ...plain, encryption: { kind: 'AES256' } }],
    ['s3://files?sse=aws:kms', { ...plain, encryption: { kind: 'aws:kms', keyId: null } }],
    [
      's3://files?sse=aws:kms&sseKmsKeyId=arn:aws:kms:eu-central-1:1:key/2',
      { ...plain, encryption: { kind: 'aws:kms', keyId: 'arn:aws:kms:eu-central-1:1:key/2' } },
    ],
    [
      's3://files?objectLockMode=COMPLIANCE&objectLockDays=30',
      { ...plain, objectLock: { mode: 'COMPLIANCE', days: 30 } },
    ],
  ])('%s is read', (text, expected) => {
    expect(readS3Address(text)).toEqual(expected)
  })

  it.each([
    ['files', 's3://bucket/prefix'],
    ['https://files', 's3://bucket/prefix'],
    ['s3://files:9000', 's3://bucket/prefix'],
    ['s3://files#x', 's3://bucket/prefix'],
    ['s3://', 'name of a bucket'],
    ['s3://Files', 'name of a bucket'],
    ['s3://f', 'name of a bucket'],
    [`s3://${'f'.repeat(64)}`, 'name of a bucket'],
    ['s3://key-id:hidden-secret@files', 'without a user or a password'],
    ['s3://files/a//b', 'prefix'],
    ['s3://files/a%20b', 'prefix'],
    [`s3://files/${'a'.repeat(201)}`, 'at most 200'],
    ['s3://files?accessKeyId=hidden-secret', 'it has accessKeyId'],
    ['s3://files?region=a&region=b', 'each parameter once'],
    ['s3://files?region=a%20b', 'region'],
    ['s3://files?endpoint=s3.example.com', 'origin'],
    ['s3://files?endpoint=https://s3.example.com/path', 'origin'],
    ['s3://files?endpoint=https://hidden-secret@s3.example.com', 'origin'],
    ['s3://files?endpoint=http://ceph:9000', 'insecure=true'],
    ['s3://files?endpoint=http://127.evil.example', 'insecure=true'],
    ['s3://files?forcePathStyle=yes', 'forcePathStyle is true or false'],
    ['s3://files?sse=none', 'sse is AES256 or aws:kms'],
    ['s3://files?sse=AES256&sseKmsKeyId=x', 'sse=aws:kms beside'],
    ['s3://files?objectLockMode=GOVERNANCE', 'both objectLockMode and objectLockDays'],
    ['s3://files?objectLockDays=1', 'both objectLockMode and objectLockDays'],
    ['s3://files?objectLockMode=LEGAL&objectLockDays=1', 'GOVERNANCE or COMPLIANCE'],
    ['s3://files?objectLockMode=GOVERNANCE&objectLockDays=0', 'objectLockDays'],
    ['s3://files?objectLockMode=GOVERNANCE&objectLockDays=36501', 'objectLockDays'],
  ])('%s is refused in a sentence that tells no secret', (text, sentence) => {
    expect(() => readS3Address(text)).toThrow(sentence)
    expect(() => readS3Address(text)).not.toThrow('hidden-secret')
  })
})
