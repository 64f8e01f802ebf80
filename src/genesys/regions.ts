/** AWS region and, where there is one, the second domain under which hosts of the region may appear (FACTS 2.1). */
const regions: Record<string, { aws: string; second?: string }> = {
  'mypurecloud.com': { aws: 'us-east-1', second: 'use1.pure.cloud' },
  'use2.us-gov-pure.cloud': { aws: 'us-east-2' },
  'usw2.pure.cloud': { aws: 'us-west-2' },
  'cac1.pure.cloud': { aws: 'ca-central-1' },
  'sae1.pure.cloud': { aws: 'sa-east-1' },
  'mxc1.pure.cloud': { aws: 'mx-central-1' },
  'mypurecloud.jp': { aws: 'ap-northeast-1', second: 'apne1.pure.cloud' },
  'apne2.pure.cloud': { aws: 'ap-northeast-2' },
  'apne3.pure.cloud': { aws: 'ap-northeast-3' },
  'mypurecloud.ie': { aws: 'eu-west-1', second: 'euw1.pure.cloud' },
  'euw2.pure.cloud': { aws: 'eu-west-2' },
  'mypurecloud.de': { aws: 'eu-central-1', second: 'euc1.pure.cloud' },
  'euc2.pure.cloud': { aws: 'eu-central-2' },
  'mec1.pure.cloud': { aws: 'me-central-1' },
  'aps1.pure.cloud': { aws: 'ap-south-1' },
  'apse1.pure.cloud': { aws: 'ap-southeast-1' },
  'mypurecloud.com.au': { aws: 'ap-southeast-2', second: 'apse2.pure.cloud' },
}

/**
 * Where a region keeps files: every host of its domains, and its bucket as the platform's own templates name it. That
 * files lie in that bucket, and on no other host, is unconfirmed; a region that is not listed has its domain only.
 */
export function mediaHostsOf(domain: string): string[] {
  const region = regions[domain]
  if (!region) return [`*.${domain}`]
  const domains = [domain, ...(region.second ? [region.second] : [])]
  return [...domains.map((name) => `*.${name}`), bucketOf(domain, region)]
}

function bucketOf(domain: string, { aws, second }: { aws: string; second?: string }): string {
  if (domain === 'mypurecloud.com') return 'shyrka-prod.s3.amazonaws.com'
  if (domain === 'use2.us-gov-pure.cloud') return 'shyrka-fedramp-use2-core.s3-fips.us-east-2.amazonaws.com'
  const short = (second ?? domain).split('.')[0]
  return `shyrka-prod-${short}.s3.${aws}.amazonaws.com`
}
