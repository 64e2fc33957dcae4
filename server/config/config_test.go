package config_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"connecthub/server/config"
)

func parse(args ...string) (config.Line, string, error) { return config.Parse(args, io.Discard) }

func TestWithoutFlagsTheHubServesOnLocalhost(t *testing.T) {
	t.Parallel()
	line, command, err := parse("serve")
	if err != nil {
		t.Fatal(err)
	}
	if command != "serve" || line.Listen != "localhost:8080" || line.NodeListen != ":8443" ||
		line.Public() != "http://localhost:8080" || !line.Embedded() ||
		line.PollNear != 30*time.Second || line.PollFar != 5*time.Minute ||
		line.PagePort("cc-pub.example.com") != 8445 {
		t.Errorf("%q %+v", command, line.Config)
	}
}

func TestEverySettingThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	_, _, err := parse("serve", "--listen", "8080", "--public-url", "hub.example.com/x",
		"--tls-cert", "a.pem", "--trusted-proxies", "10.0.0.1", "--organization-zone", "Mars/Base",
		"--admin-email", "nobody", "--poll-far", "6m", "--node-page-port", "0",
		"--node-page-ports", "localhost=1", "--deadline", "1ms")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, flag := range []string{"listen", "public-url", "tls-cert", "trusted-proxies",
		"organization-zone", "admin-email", "poll-far", "node-page-port", "node-page-ports", "deadline"} {
		if !strings.Contains(err.Error(), "--"+flag+":") {
			t.Errorf("--%s is not named in: %v", flag, err)
		}
	}
}

func TestThePortOfAPageCanBeSetByFQDN(t *testing.T) {
	t.Parallel()
	line, _, err := parse("serve", "--node-page-ports", "a.example.com=18445;b.example.com=18446")
	if err != nil {
		t.Fatal(err)
	}
	if line.PagePort("a.example.com") != 18445 || line.PagePort("b.example.com") != 18446 ||
		line.PagePort("c.example.com") != 8445 {
		t.Errorf("%v", line.NodePagePorts)
	}
}

func TestTheEnvironmentSetsWhatNoFlagSets(t *testing.T) {
	t.Setenv("CONNECTHUB_LISTEN", "localhost:1234")
	t.Setenv("CONNECTHUB_POLL_FAR", "1m")
	line, _, err := parse("serve", "--poll-far", "2m")
	if err != nil {
		t.Fatal(err)
	}
	if line.Listen != "localhost:1234" || line.PollFar != 2*time.Minute {
		t.Errorf("%s %s", line.Listen, line.PollFar)
	}
}

func TestThePublicAddressFollowsTheListener(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		args []string
	}{
		{"http://localhost:80", []string{"--listen", ":80"}},
		{"https://hub.example.com:443", []string{"--listen", "hub.example.com:443", "--tls-cert", "a", "--tls-key", "b"}},
		{"https://hub.example.com", []string{"--public-url", "https://hub.example.com/"}},
	} {
		line, _, err := parse(append([]string{"serve"}, c.args...)...)
		if err != nil || line.Public() != c.want {
			t.Errorf("%v: %s %v", c.args, line.Public(), err)
		}
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	_, _, err := config.Parse([]string{"--help"}, &out)
	if !errors.Is(err, config.ErrHelp) || !strings.Contains(out.String(), "release") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestACommandThatDoesNotExistIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"dance"}, {"serve", "--speed", "1"}, {"release", "publish"}} {
		if _, _, err := parse(args...); err == nil || errors.Is(err, config.ErrHelp) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
