package commands

import (
	"fmt"
	"strings"
	"time"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/vos/trust"
)

type vosCert struct {
	Import vosCertImport `cmd:"" help:"Trust a control node's self-signed certificate, or the CA that signed it."`
	List   vosCertList   `cmd:"" help:"List what is trusted."`
	Delete vosCertDelete `cmd:"" help:"Trust a certificate no more."`
}

type vosCertImport struct {
	File string `arg:"" type:"existingfile" help:"PEM file with one or more certificates."`
	Yes  bool   `help:"Do not ask."`
	JSON bool   `help:"As JSON; needs --yes."`
}

// Run shows what would be trusted, and asks.
func (v vosCertImport) Run(s *console.Session) error {
	if _, err := openVos(s); err != nil {
		return err
	}
	if v.JSON && !v.Yes {
		return console.Refuse("flag_needed", "--json asks nothing: give --yes, too",
			"--json では確認できません。--yes も指定してください")
	}
	text, err := readAtMost(v.File, trust.MaxPEM+1)
	if err != nil {
		return fmt.Errorf("cannot read the certificate: %w", err)
	}
	all, err := trust.Parse(text, s.Now())
	if err != nil {
		return err
	}
	if !v.JSON {
		for _, c := range all {
			showCertificate(s, c)
		}
	}
	if err := s.Confirm("Control nodes with these certificates will be trusted.", "--yes", v.Yes); err != nil {
		return err
	}
	if err := trust.Open(s.Dir).Import(all); err != nil {
		return err
	}
	if v.JSON {
		return s.JSON(all)
	}
	s.Say("%d imported into tomcat-trust", len(all))
	return nil
}

func showCertificate(s *console.Session, c trust.Certificate) {
	s.Say("%s", c.Subject)
	s.Say("    fingerprint  %s", colons(c.Fingerprint))
	if c.CA {
		s.Say("    a CA, issued by %s", c.Issuer)
	} else {
		s.Say("    self-signed, for %s", strings.Join(c.Names, ", "))
	}
	words := ""
	if c.Expired(s.Now()) {
		words = "  EXPIRED"
	}
	s.Say("    good from    %s until %s%s", c.From.Format(time.DateOnly), c.Until.Format(time.DateOnly), words)
}

// colons is how certificate managers show a fingerprint.
func colons(hex string) string {
	var parts []string
	for len(hex) >= 2 {
		parts, hex = append(parts, strings.ToUpper(hex[:2])), hex[2:]
	}
	return strings.Join(parts, ":")
}

type vosCertList struct {
	JSON bool `help:"As JSON."`
}

// Run lists what is trusted.
func (v vosCertList) Run(s *console.Session) error {
	if _, err := openVos(s); err != nil {
		return err
	}
	all, err := trust.Open(s.Dir).List()
	if err != nil {
		return err
	}
	if v.JSON {
		return s.JSON(append([]trust.Certificate{}, all...))
	}
	if len(all) == 0 {
		s.Say("tomcat-trust is empty: no control node is trusted.")
	}
	for _, c := range all {
		showCertificate(s, c)
	}
	return nil
}

type vosCertDelete struct {
	Fingerprint string `arg:"" help:"SHA-256 fingerprint, or its first eight digits or more."`
	Yes         bool   `help:"Do not ask."`
}

// Run asks, and ends the trust.
func (v vosCertDelete) Run(s *console.Session) error {
	if _, err := openVos(s); err != nil {
		return err
	}
	err := s.Confirm("A control node that is known by this certificate only will not be trusted any more.",
		"--yes", v.Yes)
	if err != nil {
		return err
	}
	c, err := trust.Open(s.Dir).Delete(v.Fingerprint)
	if err != nil {
		return err
	}
	s.Say("%s is trusted no more", c.Subject)
	return nil
}
