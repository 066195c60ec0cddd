// The package brings no types of its own; what is used of it is one constructor.
declare module "oidc-provider" {
  const Provider: any;
  export default Provider;
}
