import { beforeEach, inject } from 'vitest'

beforeEach((context) => {
  context.skip(inject('postgres') === null, 'needs apt-get install --no-install-recommends postgresql')
})
