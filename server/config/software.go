package config

// Software are the commands about what the vendor offers for download.
type Software struct {
	Add struct {
		File       string `arg:"" help:"File to offer."`
		Repository string `default:"ent-platform-release-external" help:"Repository."`
		Path       string `required:"" help:"Path in the repository, such as vvb/12.6/vvb-es1.cop.sgn."`
		Product    string `required:"" help:"Product, as entitlements name it, such as VVB."`
		Version    string `required:"" help:"Version of the software."`
		Restricted bool   `help:"It is export-restricted."`
		Notes      string `help:"Release notes."`
	} `cmd:"" help:"Offer a file for download. Cloud Connect's own releases are refused."`
	List struct {
		Repository string `help:"Repository; default: all."`
	} `cmd:"" help:"List what is offered."`
	Withdraw struct {
		Path       string `arg:"" help:"Path in the repository."`
		Repository string `default:"ent-platform-release-external" help:"Repository."`
	} `cmd:"" help:"Offer a file no more."`
	EULA struct {
		EULAVersion string `arg:"" name:"version" help:"What this version of the agreement is called."`
		File        string `arg:"" help:"File that holds the text."`
	} `cmd:"" name:"publish-eula" help:"Make a text the End User License Agreement: everybody is asked again."`
}

// Entitlement are the commands about contracts and subscriptions.
type Entitlement struct {
	Add struct {
		Organization  string   `arg:"" help:"Name of the organization."`
		Reference     string   `required:"" help:"What you call the contract."`
		Kind          string   `default:"swss" help:"swss or flex."`
		Product       []string `required:"" help:"Product that it covers; may be repeated; * is all." placeholder:"PRODUCT"`
		From          string   `required:"" help:"First day in UTC, YYYY-MM-DD."`
		Until         string   `required:"" help:"Last day in UTC, YYYY-MM-DD."`
		User          string   `help:"E-mail address of the only person that it is for; default: everybody." placeholder:"EMAIL"`
		ExportCleared bool     `help:"Export-restricted software is allowed."`
	} `cmd:"" help:"Record a contract or a subscription: its people may download."`
	List struct {
		Organization string `arg:"" help:"Name of the organization."`
	} `cmd:"" help:"List the records of an organization that were not ended."`
	End struct {
		ID string `arg:"" help:"ID of the record."`
	} `cmd:"" help:"End a record at once."`
}
