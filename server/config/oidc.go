package config

// OIDC are the commands about signing in through an organization's own provider. Only whoever has
// the hub in hand sets one: the hub connects to what is set here.
type OIDC struct {
	Set struct {
		Organization     string   `arg:"" help:"Name of the organization; it must have a verified domain."`
		Issuer           string   `required:"" help:"Address of the provider, exactly as it names itself." placeholder:"URL"`
		ClientID         string   `required:"" help:"What the provider calls this hub." placeholder:"ID"`
		ClientSecretFile string   `required:"" help:"File that holds the client secret; it is kept sealed." placeholder:"FILE"`
		AllowHost        []string `help:"Another host than the issuer's at which the provider has endpoints." placeholder:"HOST"`
		Required         bool     `help:"Refuse passwords in this organization, and end the sessions that began with one."`
		NoCheck          bool     `help:"Do not ask the provider first whether it can be used."`
	} `cmd:"" help:"Let the people of an organization sign in through its OpenID Connect provider."`
	Show struct {
		Organization string `arg:"" help:"Name of the organization."`
	} `cmd:"" help:"Show the provider, and the address that it must be told to send browsers back to."`
	Require struct {
		Organization string `arg:"" help:"Name of the organization."`
	} `cmd:"" help:"Refuse passwords in the organization, and end the sessions that began with one."`
	AllowPasswords struct {
		Organization string `arg:"" help:"Name of the organization."`
	} `cmd:"" help:"Accept passwords beside the provider: the way in while the provider is down."`
	Remove struct {
		Organization string `arg:"" help:"Name of the organization."`
	} `cmd:"" help:"Take the provider away; passwords count again."`
	Forget struct {
		Email string `arg:"" help:"E-mail address of the person."`
	} `cmd:"" help:"Let the next sign-in of a person bind a new account at the provider."`
}
