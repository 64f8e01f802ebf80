// biome-ignore lint/suspicious/noExplicitAny: what we use of it is said where it is used
declare const ClientApp: new (options: { gcHostOriginQueryParam: string; gcTargetEnvQueryParam: string }) => any
export default ClientApp
