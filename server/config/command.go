package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"connecthub/models"

	"github.com/alecthomas/kong"
)

// ErrHelp says that help was asked for and printed.
var ErrHelp = errors.New("help was printed")

// Line is the hub's command line.
type Line struct {
	Config

	Serve        struct{}     `cmd:"" help:"Run the hub."`
	MigrateCmd   struct{}     `cmd:"" name:"migrate" help:"Bring the database to this version's form."`
	Organization Organization `cmd:"" help:"The tenants."`
	User         User         `cmd:"" help:"The people."`
	Release      Release      `cmd:"" help:"The vendor's releases."`
	Software     Software     `cmd:"" help:"What the vendor offers for download."`
	Entitlement  Entitlement  `cmd:"" help:"The contracts and subscriptions that entitle to downloads."`
	Audit        Audit        `cmd:"" help:"The log of changes."`
	Seal         Seal         `cmd:"" help:"The key that seals secrets at rest."`
	OIDC         OIDC         `cmd:"" name:"oidc" help:"Signing in through an organization's own OpenID Connect provider."`
	Restored     struct{}     `cmd:"" help:"Make a database that was restored from a backup safe to serve. Stop the hub first."`
	Windows      Windows      `cmd:"" help:"Print the starts of the windows of any rule, one a line."`
	Version      struct{}     `cmd:"" help:"Print the version of the hub and of its time zone data."`
}

// Organization are the commands about tenants.
type Organization struct {
	Create struct {
		Name     string `arg:"" help:"Name, unique in the hub."`
		Zone     string `default:"UTC" help:"Time zone of default schedules."`
		Language string `default:"en" help:"en or ja."`
		Domain   string `help:"Domain of its people's e-mail addresses, which you have verified."`
		Admin    string `help:"Invite its first full admin: the link is printed once." placeholder:"EMAIL"`
	} `cmd:"" help:"Create an organization."`
	List    struct{}           `cmd:"" help:"List the organizations."`
	Disable OrganizationChoice `cmd:"" help:"Lock everybody of an organization out at once; its nodes stay registered."`
	Enable  OrganizationChoice `cmd:"" help:"Let the people of a disabled organization in again."`
	Domain  struct {
		Name   string `arg:"" help:"Name of the organization."`
		Domain string `arg:"" optional:"" help:"Domain that you have verified; none takes it away."`
	} `cmd:"" name:"set-domain" help:"Give an organization its domain. The hub looks nothing up."`
	SecondFactor struct {
		Name string `arg:"" help:"Name of the organization; the vendor's too."`
		Off  bool   `help:"Demand none any more."`
	} `cmd:"" name:"require-second-factor" help:"Demand a passkey of everybody in an organization."`
	Invite struct {
		Name  string `arg:"" help:"Name of the organization."`
		Email string `arg:"" help:"E-mail address of the person."`
		Role  string `default:"full_admin" help:"full_admin, read_only_admin or release_engineer."`
	} `cmd:"" help:"Invite a person: the link is printed once."`
}

// OrganizationChoice names an organization.
type OrganizationChoice struct {
	Name string `arg:"" help:"Name of the organization."`
}

// UserChoice names a person.
type UserChoice struct {
	Email string `arg:"" help:"E-mail address."`
}

// Audit are the commands about the log of changes.
type Audit struct {
	Verify     AuditVerify `cmd:"" help:"Check that nobody has touched the log; name the first bad record."`
	Checkpoint struct {
		Organization string `help:"Name of an organization; default: all."`
	} `cmd:"" help:"Print where the log stands now, signed, for keeping elsewhere: one line an organization."`
}

// AuditVerify says which log to check against what.
type AuditVerify struct {
	Organization string   `help:"Name of an organization; default: all."`
	Checkpoint   []string `help:"File that \"audit checkpoint\" has printed earlier; may be repeated." placeholder:"FILE"`
}

// Seal are the commands about the key that seals secrets at rest.
type Seal struct {
	Key    struct{} `cmd:"" help:"Print a new key, one line of a key file."`
	Status struct{} `cmd:"" help:"Say which key seals, and what each key sealed."`
	Rotate struct{} `cmd:"" help:"Seal everything anew with the first key of the key file; the hub's own file gets a new key. Stop the hub first."`
}

// User are the commands about people.
type User struct {
	Create struct {
		Email        string `arg:"" help:"E-mail address, unique in the hub."`
		Organization string `required:"" help:"Name of the organization."`
		Name         string `help:"Name of the person; default: the e-mail address."`
		Role         string `default:"full_admin" help:"full_admin, read_only_admin or release_engineer."`
		PasswordFile string `help:"File that holds the password; default: a generated one is printed once." placeholder:"FILE"`
	} `cmd:"" help:"Create a user."`
	List struct {
		Organization string `required:"" help:"Name of the organization."`
	} `cmd:"" help:"List the users of an organization."`
	ResetPassword struct {
		Email        string `arg:"" help:"E-mail address."`
		PasswordFile string `help:"File that holds the password; default: a generated one is printed once." placeholder:"FILE"`
	} `cmd:"" help:"Give a user a new password and end its sessions."`
	ResetSecondFactor UserChoice `cmd:"" help:"Remove the passkeys and recovery codes of a user who has lost them, and end its sessions."`
	Disable           UserChoice `cmd:"" help:"Lock a user out at once."`
	Enable            UserChoice `cmd:"" help:"Let a disabled user in again."`
}

// Release are the commands about releases.
type Release struct {
	Publish struct {
		File    string `arg:"" help:"Bundle made by \"nodeclient bundle build\"."`
		Kind    string `default:"regular" help:"regular or emergency."`
		Channel string `default:"stable" help:"Channel."`
		Notes   string `help:"What is new."`
		Draft   bool   `help:"Keep it a draft."`
	} `cmd:"" help:"Take a bundle into the depot and publish it."`
	List   struct{}      `cmd:"" help:"List the releases, newest first."`
	Pause  ReleaseChoice `cmd:"" help:"Let no further node start it."`
	Resume ReleaseChoice `cmd:"" help:"Go on with it."`
	Recall ReleaseChoice `cmd:"" help:"Take it back for good."`
}

// ReleaseChoice names a release.
type ReleaseChoice struct {
	Release string `arg:"" help:"ID, or version where one channel has it."`
}

// Windows is a rule and how many of its windows to print.
type Windows struct {
	Zone   string        `required:"" help:"IANA time zone."`
	Time   string        `required:"" help:"HH:MM."`
	Days   []string      `default:"sunday,monday,tuesday,wednesday,thursday,friday,saturday" help:"Days of the week; default: daily."`
	From   string        `required:"" help:"First civil date, YYYY-MM-DD."`
	Count  int           `default:"10" help:"How many, 1 to 10000."`
	Length time.Duration `default:"2h" help:"Length of a window."`
}

// Parse reads a command line and the environment, and answers with the words of the command, such
// as "release publish <file>". Settings are validated whole.
func Parse(args []string, out io.Writer) (Line, string, error) {
	var line Line
	helped := false
	parser, err := kong.New(&line, kong.Name("server"),
		kong.Description("Connect Hub keeps clusters registered and upgrades them, one node at a time."),
		kong.DefaultEnvars("CONNECTHUB"), kong.Writers(out, out),
		kong.Exit(func(int) { helped = true }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if err != nil {
		return Line{}, "", fmt.Errorf("cannot build the command line: %w", err)
	}
	ctx, err := parser.Parse(args)
	if helped {
		return Line{}, "", ErrHelp
	}
	if err != nil {
		return Line{}, "", err
	}
	line.SealKey = models.Secret(os.Getenv(SealKeyVariable))
	line.Credentials = os.Getenv("CREDENTIALS_DIRECTORY")
	if err := line.Validate(); err != nil {
		return Line{}, "", fmt.Errorf("cannot accept the settings:\n%w", err)
	}
	return line, ctx.Command(), nil
}
