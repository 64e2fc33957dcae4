package commands

import (
	"strconv"
	"strings"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/control/wayout"
)

type setCloudconnect struct {
	Orchestration setWayOutOf `cmd:"" help:"How the orchestration reaches the repository."`
}

type setWayOutOf struct {
	Config setWayOut `cmd:"" help:"Say whether there is a proxy, and where."`
}

type showCloudconnect struct {
	Orchestration showWayOutOf `cmd:"" help:"How the orchestration reaches the repository."`
}

type showWayOutOf struct {
	Config showWayOut `cmd:"" help:"Show whether there is a proxy, and where."`
}

type setWayOut struct {
	ProxyConfigured string `enum:"yes,no," default:"" help:"yes or no."`
	ProxyHost       string `help:"Name or address of the proxy." placeholder:"HOST"`
	ProxyPort       string `help:"Its port, 1 to 65535." placeholder:"PORT"`
	JSON            bool   `help:"As JSON."`
}

// Run changes the node's one proxy setting; the subscriber follows.
func (w setWayOut) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	s.Note(fetching)
	now, err := wayout.Load(s.Dir)
	if err != nil {
		return err
	}
	typed, err := s.Ask("Proxy Configured (Yes/No)", "proxy-configured", w.ProxyConfigured, yesNo(now.Configured))
	if err != nil {
		return err
	}
	after := wayout.Config{}
	switch strings.ToLower(typed) {
	case "yes", "y":
		after.Configured = true
	case "no", "n":
	default:
		return console.Refuse("yes_or_no", "answer Yes or No", "Yes または No で答えてください")
	}
	if after.Configured {
		if after.Host, err = s.Ask("Proxy Host", "proxy-host", w.ProxyHost, now.Host); err != nil {
			return err
		}
		port := ""
		if now.Port > 0 {
			port = strconv.Itoa(now.Port)
		}
		if port, err = s.Ask("Proxy Port", "proxy-port", w.ProxyPort, port); err != nil {
			return err
		}
		if after.Port, err = strconv.Atoi(port); err != nil || after.Port < 1 || after.Port > 65535 {
			return console.Refuse("not_a_port", "--proxy-port: give a number from 1 to 65535",
				"--proxy-port: 1 から 65535 までの数を指定してください")
		}
	}
	if err := wayout.Set(s.Dir, settings.Open(s.Dir, s.Now), s.Who, after); err != nil {
		return err
	}
	if w.JSON {
		return s.JSON(after)
	}
	s.Say(updated)
	if after.Configured {
		s.Note("A user, exceptions or a CA of the proxy: nodeclient set proxy")
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

type showWayOut struct {
	JSON bool `help:"As JSON."`
}

// Run shows the proxy.
func (w showWayOut) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	now, err := wayout.Load(s.Dir)
	if err != nil {
		return err
	}
	if w.JSON {
		return s.JSON(now)
	}
	s.Say("Proxy Configured : %s", yesNo(now.Configured))
	if now.Configured {
		s.Say("Proxy Host       : %s", now.Host)
		s.Say("Proxy Port       : %d", now.Port)
	}
	return nil
}
