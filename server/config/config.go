// Package config is everything that can be set about the hub: one struct from flags and the
// environment, validated whole. It knows nothing of what the settings are used for.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// Config is one hub's settings. Each is a flag, and an environment variable of the same name:
// --node-listen is CONNECTHUB_NODE_LISTEN.
type Config struct {
	Data    string `default:"data" help:"Directory of the hub's data, created at the first start." placeholder:"DIR"`
	DSN     string `help:"Database: empty for SQLite in the data directory, or postgres://…" placeholder:"URL"`
	DSNFile string `help:"File that holds the DSN, so that no password stands in a command line." placeholder:"FILE"`
	Migrate bool   `help:"Migrate the database at start. The default database always is."`

	SealKeyFile string        `help:"File of the key that seals secrets at rest, apart from the data; default: a generated one in the data directory." placeholder:"FILE"`
	SealKey     models.Secret `kong:"-"` // only from the environment: a command line is read by others
	Credentials string        `kong:"-"` // the service manager's directory of credentials

	LogFormat string `default:"text" enum:"text,json" help:"text or json."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`

	Listen         string   `default:"localhost:8080" help:"Console and admin API: plain HTTP for a proxy that ends TLS, or HTTPS with --tls-cert." group:"Addresses"`
	TLSCert        string   `help:"Certificate of the console's listener." placeholder:"FILE" group:"Addresses"`
	TLSKey         string   `help:"Key of the console's listener." placeholder:"FILE" group:"Addresses"`
	PublicURL      string   `help:"Address of the console in a browser; default from --listen." placeholder:"URL" group:"Addresses"`
	TrustedProxies []string `help:"Networks whose X-Forwarded-For is believed." placeholder:"CIDR" group:"Addresses"`
	NodeListen     string   `default:":8443" help:"Node API and depot, always HTTPS." group:"Addresses"`
	NodeNames      []string `default:"localhost,127.0.0.1,::1" help:"Names and addresses in the node API's own certificate." group:"Addresses"`
	NodeCert       string   `help:"Certificate of the node API; default: one of the hub's own CA." placeholder:"FILE" group:"Addresses"`
	NodeKey        string   `help:"Key of the node API." placeholder:"FILE" group:"Addresses"`
	MetricsListen  string   `help:"Listener for /metrics alone; default: on the console's." placeholder:"ADDRESS" group:"Addresses"`

	OrganizationName     string `default:"Example" help:"Organization made at the first start." group:"First start"`
	OrganizationZone     string `default:"UTC" help:"Its time zone." group:"First start"`
	OrganizationLanguage string `default:"en" enum:"en,ja" help:"Its language, en or ja." group:"First start"`
	AdminEmail           string `default:"admin@example.com" help:"Its first full admin, whose password is printed once." group:"First start"`

	PollNear      time.Duration  `default:"30s" help:"How often a node polls in or near a window." group:"Nodes"`
	PollFar       time.Duration  `default:"5m" help:"How often a node polls otherwise; at most 5m." group:"Nodes"`
	Environment   string         `help:"Name of this installation, in every registration ticket; default: the console's address. Nodes that were set up for another one refuse." placeholder:"NAME" group:"Nodes"`
	MinVersion    string         `help:"Oldest product that may be registered; default: any." placeholder:"VERSION" group:"Nodes"`
	MinClient     string         `help:"Oldest agent that may be registered; default: any." placeholder:"VERSION" group:"Nodes"`
	NodePagePort  int            `default:"8445" help:"Port of a publisher's own page." group:"Nodes"`
	NodePagePorts map[string]int `help:"Port of the page by FQDN, for demonstrations on one machine." placeholder:"FQDN=PORT;…" group:"Nodes"`

	OIDCLoopback bool   `name:"oidc-loopback" help:"Allow OpenID Connect providers on this machine, by plain HTTP too. For development only." group:"Signing in"`
	OIDCCAFile   string `name:"oidc-ca-file" help:"Certificate authorities of OpenID Connect providers, beside the system's." placeholder:"FILE" group:"Signing in"`

	Deadline     time.Duration `default:"15s" help:"How long a request may take." group:"Limits"`
	ShutdownWait time.Duration `default:"10s" help:"How long requests may finish at a shutdown." group:"Limits"`
}

// SealKeyVariable is the environment variable that may hold the seal key itself. There is no such
// flag.
const SealKeyVariable = "CONNECTHUB_SEAL_KEY"

// The bounds of what may be set.
const (
	minPoll     = 100 * time.Millisecond // for demonstrations; 30 s is the rule
	maxPollFar  = 5 * time.Minute        // the protocol promises it
	maxDeadline = 5 * time.Minute
)

// Validate refuses the whole when any part is wrong, and names every part that is.
func (c Config) Validate() error {
	var wrong []error
	refuse := func(ok bool, flag, why string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("--%s: %s", flag, why))
		}
	}
	refuse(c.Data != "", "data", "name a directory")
	refuse(c.DSN == "" || c.DSNFile == "", "dsn-file", "give the DSN once")
	refuse(c.SealKeyFile == "" || c.SealKey == "", "seal-key-file", "give the seal key once, not in "+
		SealKeyVariable+" as well")
	for flag, address := range map[string]string{"listen": c.Listen, "node-listen": c.NodeListen,
		"metrics-listen": c.MetricsListen} {
		_, port, err := net.SplitHostPort(address)
		refuse((address == "" && flag == "metrics-listen") || (err == nil && port != ""), flag,
			"an address is HOST:PORT or :PORT")
	}
	refuse((c.TLSCert == "") == (c.TLSKey == ""), "tls-cert", "certificate and key go together")
	refuse((c.NodeCert == "") == (c.NodeKey == ""), "node-cert", "certificate and key go together")
	refuse(c.PublicURL == "" || validURL(c.PublicURL), "public-url",
		"an address is http://… or https://… without a path")
	refuse(len(c.NodeNames) > 0 || c.NodeCert != "", "node-names", "name at least one")
	_, err := c.Proxies()
	refuse(err == nil, "trusted-proxies", "a network is like 10.0.0.0/8")
	_, err = window.LoadZone(c.OrganizationZone)
	refuse(err == nil, "organization-zone", "not a time zone that the hub knows")
	_, err = models.ParseDisplayName(c.OrganizationName)
	refuse(err == nil, "organization-name", "1 to 128 characters")
	refuse(strings.Count(c.AdminEmail, "@") == 1, "admin-email", "not an e-mail address")
	refuse(c.PollNear >= minPoll && c.PollNear <= c.PollFar, "poll-near",
		"from 100ms to --poll-far")
	refuse(c.PollFar <= maxPollFar, "poll-far", "at most 5m")
	refuse(len(c.Environment) <= maxEnvironment && printable(c.Environment), "environment",
		"at most 128 printable characters")
	refuse(validVersion(c.MinVersion), "min-version", "not a version")
	refuse(validVersion(c.MinClient), "min-client", "not a version")
	refuse(validPort(c.NodePagePort), "node-page-port", "from 1 to 65535")
	for name, port := range c.NodePagePorts {
		_, err := models.ParseFQDN(name)
		refuse(err == nil && validPort(port), "node-page-ports", name+" needs a FQDN and a port")
	}
	refuse(c.Deadline >= time.Second && c.Deadline <= maxDeadline, "deadline", "from 1s to 5m")
	refuse(c.ShutdownWait >= 0 && c.ShutdownWait <= maxDeadline, "shutdown-wait", "at most 5m")
	return errors.Join(wrong...)
}

// maxEnvironment bounds the name of an installation.
const maxEnvironment = 128

func printable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func validVersion(text string) bool {
	if text == "" {
		return true
	}
	_, err := models.ParseVersion(text)
	return err == nil
}

func validPort(p int) bool { return p >= 1 && p <= 65535 }

func validURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}

// Proxies are the networks whose X-Forwarded-For is believed.
func (c Config) Proxies() ([]*net.IPNet, error) {
	var networks []*net.IPNet
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("cannot read network %q: %w", text, err)
		}
		prefix = prefix.Masked()
		networks = append(networks, &net.IPNet{IP: prefix.Addr().AsSlice(),
			Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())})
	}
	return networks, nil
}

// Public is the console's address in a browser, without a slash at its end.
func (c Config) Public() string {
	if c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/")
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || host == "" {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Embedded says whether the database is the default one, in the data directory.
func (c Config) Embedded() bool { return c.DSN == "" && c.DSNFile == "" }

// PagePort is the port of a publisher's own page.
func (c Config) PagePort(name models.FQDN) int {
	if port, ok := c.NodePagePorts[string(name)]; ok {
		return port
	}
	return c.NodePagePort
}

// Database is the file of the default database.
func (c Config) Database() string { return filepath.Join(c.Data, "hub.db") }

// Bundles is the directory of the depot.
func (c Config) Bundles() string { return filepath.Join(c.Data, "depot") }

// SoftwareFiles is the directory of what the vendor offers for download.
func (c Config) SoftwareFiles() string { return filepath.Join(c.Data, "software") }

// Keys is the directory of the hub's signing key.
func (c Config) Keys() string { return filepath.Join(c.Data, "keys") }

// OwnSealKey is the file of the seal key that the hub makes where it is given none.
func (c Config) OwnSealKey() string { return filepath.Join(c.Keys(), "seal-key") }

// Certificates is the directory of the hub's own CA, whose ca.pem nodes are given.
func (c Config) Certificates() string { return filepath.Join(c.Data, "tls") }
