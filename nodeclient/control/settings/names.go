package settings

// Name is one document.
type Name string

// The documents. Each is one subject, owned by the package that is named beside it.
const (
	Repository    Name = "repository"          // control/repository: where software comes from
	TokenRotation Name = "token-rotation"      // control/repository: when a token is rotated
	Proxy         Name = "orchestration-proxy" // control/download: the publisher's proxy, for its subscriber
	Download      Name = "download"            // control/download: how fast this node may download
	Schedules     Name = "schedules"           // control/jobs: when this node's jobs run
	JobsRan       Name = "jobs-ran"            // control/jobs: what ran last
	ProxyApplied  Name = "proxy-applied"       // control/wayout: which of the publisher's proxies is in use
	Mailed        Name = "software-mailed"     // control/download: what people were told of
	Mail          Name = "mail"                // control/mail: the SMTP server
	Subscriptions Name = "mail-subscriptions"  // control/mail: who is told
	SSH           Name = "ssh"                 // control/sshkeys: the targets' port
	Compatibility Name = "compatibility"       // control/procedure: is the check enforced
	Parallel      Name = "max-parallel-tasks"  // control/procedure: how many targets at once
	Onboarding    Name = "onboarding"          // control/onboarding: the VOS clusters
	CloudView     Name = "cloud-view"          // control/cloudview: may the console show anything
)

// names says of each document whether the publisher's goes to its subscriber.
func names() map[Name]bool {
	return map[Name]bool{
		Repository:    true,
		TokenRotation: true,
		Proxy:         true,
		Download:      false,
		Schedules:     false,
		JobsRan:       false,
		ProxyApplied:  false,
		Mailed:        false,
		Mail:          true,
		Subscriptions: true,
		SSH:           true,
		Compatibility: true,
		Parallel:      true,
		Onboarding:    true,
		CloudView:     false,
	}
}

// Known says whether there is such a document. A name is part of a file's name: what is not known is
// never made a path of.
func (n Name) Known() bool {
	_, ok := names()[n]
	return ok
}

// Replicated says whether the publisher's document goes to its subscriber.
func (n Name) Replicated() bool { return names()[n] }
