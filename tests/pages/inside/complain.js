// Runs in every document of a test before its own scripts: what breaks its Content-Security-Policy is an error on the console.
document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) => {
  console.error(`policy: ${violatedDirective} ${blockedURI} ${sample}`)
})
