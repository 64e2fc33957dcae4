package commands

import (
	"fmt"
	"strings"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
)

const maxCAFile = 64 << 10

// mailBox is the node's outbox, as commands and workers use it.
func mailBox(s *console.Session) (*mail.Box, error) {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return nil, err
	}
	return mail.Open(s.Dir, mail.Options{Now: s.Now, Log: logs.To(s.Dir, logs.Mail),
		Server: string(c.FQDN), Zone: s.Now().Location()}), nil
}

// setMail are the settings of mail below "set".
type setMail struct {
	SMTPHost      setSMTPHost     `cmd:"" name:"smtp-host" help:"Say which SMTP server takes this node's mail."`
	SMTPFromEmail setSMTPFrom     `cmd:"" name:"smtp-from-email" help:"Say from whom this node's mail comes."`
	SMTPUseAuth   setSMTPUseAuth  `cmd:"" name:"smtp-use-auth" help:"Say whether this node signs in at the SMTP server."`
	SMTPUser      setSMTPUser     `cmd:"" name:"smtp-user" help:"Say as whom it signs in there."`
	SMTPPassword  setSMTPPassword `cmd:"" name:"smtp-pswd" help:"Give the password with which it signs in there."`
}

// showMail are the settings of mail below "show".
type showMail struct {
	SMTPHost      showSMTPHost     `cmd:"" name:"smtp-host" help:"Show which SMTP server takes this node's mail."`
	SMTPFromEmail showSMTPFrom     `cmd:"" name:"smtp-from-email" help:"Show from whom this node's mail comes."`
	SMTPUseAuth   showSMTPUseAuth  `cmd:"" name:"smtp-use-auth" help:"Show whether this node signs in at the SMTP server."`
	SMTPUser      showSMTPUser     `cmd:"" name:"smtp-user" help:"Show as whom it signs in there."`
	SMTPPassword  showSMTPPassword `cmd:"" name:"smtp-pswd" help:"Show whether a password is set."`
}

type jsonFlag struct {
	JSON bool `help:"As JSON."`
}

// mailView is the settings as they are shown.
type mailView struct {
	Host           string   `json:"host"`
	TLS            mail.TLS `json:"tls"`
	OwnCA          bool     `json:"own_ca"`
	From           string   `json:"from"`
	Authentication bool     `json:"authentication"`
	User           string   `json:"user"`
	PasswordSet    bool     `json:"password_set"`
}

func viewOfMail(m mail.Settings) mailView {
	return mailView{m.Host, m.TLS, m.CA != "", m.From, m.Auth, m.User, m.Password != ""}
}

// changeMail is every "set smtp-…": on the publisher, with what is set now before the prompt.
func changeMail(s *console.Session, asJSON bool, ask func(now mail.Settings) (func(*mail.Settings), error)) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	now, err := mail.Load(store)
	if err != nil {
		return err
	}
	change, err := ask(now)
	if err != nil {
		return err
	}
	err = mail.Update(store, s.Who, func(m *mail.Settings) error {
		change(m)
		return nil
	})
	if err != nil {
		return err
	}
	return mailDone(s, store, asJSON)
}

func mailDone(s *console.Session, store *settings.Store, asJSON bool) error {
	if !asJSON {
		s.Say(updated)
		return nil
	}
	now, err := mail.Load(store)
	if err != nil {
		return err
	}
	return s.JSON(viewOfMail(now))
}

// argument asks for what stands on the line; where nobody sits at a terminal it must be there.
func argument(s *console.Session, command, prompt, given, current string) (string, error) {
	if given == "" && !s.Terminal() {
		return "", console.Refuse("argument_needed", "give it on the line: %s", "コマンドに続けて指定してください: %s", command)
	}
	return s.Ask(prompt, "", given, current)
}

type setSMTPHost struct {
	jsonFlag
	Host   string `arg:"" optional:"" help:"HOST or HOST:PORT; default port: 587 starttls, 465 implicit, 25 none."`
	TLS    string `name:"tls" enum:"starttls,implicit,none," default:"" help:"How the way there is protected. Default: as it is now, at first starttls."`
	CAFile string `name:"ca-file" type:"existingfile" help:"PEM of who signed the server's certificate, where the machine does not know it." placeholder:"FILE"`
}

// Run changes the server whole.
func (c setSMTPHost) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	now, err := mail.Load(store)
	if err != nil {
		return err
	}
	typed, err := argument(s, "set smtp-host HOST[:PORT]", "SMTP host", c.Host, now.Host)
	if err != nil {
		return err
	}
	protection, ca := now.TLS, now.CA
	if c.TLS != "" {
		protection = mail.TLS(c.TLS)
	} else if s.Terminal() && c.Host == "" {
		answer, err := s.Ask("Protection (starttls, implicit, none)", "tls", "", string(now.TLS))
		if err != nil {
			return err
		}
		protection = mail.TLS(answer)
	}
	host, err := mail.Host(typed, protection)
	if err != nil {
		return err
	}
	if c.CAFile != "" {
		text, err := readAtMost(c.CAFile, maxCAFile+1)
		if err != nil {
			return fmt.Errorf("cannot read --ca-file: %w", err)
		}
		ca = string(text)
	}
	forgot, err := mail.SetServer(store, s.Who, host, protection, ca)
	if err != nil {
		return err
	}
	if forgot {
		s.Note("The password was given for another server and is forgotten: run set smtp-pswd.")
	}
	if protection == mail.None {
		s.Note("Warning: without TLS everybody on the way can read this node's mail.")
	}
	return mailDone(s, store, c.JSON)
}

type setSMTPFrom struct {
	jsonFlag
	Address string `arg:"" optional:"" help:"Mail address of the sender."`
}

// Run changes the sender.
func (c setSMTPFrom) Run(s *console.Session) error {
	return changeMail(s, c.JSON, func(now mail.Settings) (func(*mail.Settings), error) {
		typed, err := argument(s, "set smtp-from-email ADDRESS", "SMTP from e-mail", c.Address, now.From)
		if err != nil {
			return nil, err
		}
		from, err := mail.Address(typed)
		return func(m *mail.Settings) { m.From = from }, err
	})
}

type setSMTPUseAuth struct {
	jsonFlag
	Use string `arg:"" optional:"" help:"Enable or Disable."`
}

// Run takes the two words in any case.
func (c setSMTPUseAuth) Run(s *console.Session) error {
	return changeMail(s, c.JSON, func(now mail.Settings) (func(*mail.Settings), error) {
		typed, err := argument(s, "set smtp-use-auth Enable|Disable", "SMTP authentication (Enable/Disable)", c.Use,
			map[bool]string{true: "Enable", false: "Disable"}[now.Auth])
		if err != nil {
			return nil, err
		}
		use := strings.EqualFold(typed, "Enable")
		if !use && !strings.EqualFold(typed, "Disable") {
			return nil, console.Refuse("enable_or_disable", "answer Enable or Disable",
				"Enable または Disable を指定してください")
		}
		return func(m *mail.Settings) { m.Auth = use }, nil
	})
}

type setSMTPUser struct {
	jsonFlag
	User string `arg:"" optional:"" help:"User at the SMTP server."`
}

// Run changes the user.
func (c setSMTPUser) Run(s *console.Session) error {
	return changeMail(s, c.JSON, func(now mail.Settings) (func(*mail.Settings), error) {
		user, err := argument(s, "set smtp-user USER", "SMTP user", c.User, now.User)
		return func(m *mail.Settings) { m.User = user }, err
	})
}

type setSMTPPassword struct {
	jsonFlag
	PasswordFile string `help:"File with the password, one line; - for standard input. Default: a prompt." placeholder:"FILE"`
}

// Run changes the password; an empty one is none.
func (c setSMTPPassword) Run(s *console.Session) error {
	return changeMail(s, c.JSON, func(mail.Settings) (func(*mail.Settings), error) {
		password, err := s.Secret("SMTP password", "password-file", c.PasswordFile)
		return func(m *mail.Settings) { m.Password = mail.Password(password) }, err
	})
}

// tellMail is every "show smtp-…".
func tellMail(s *console.Session, asJSON bool, line func(m mail.Settings) string) error {
	m, err := mail.Load(settings.Open(s.Dir, s.Now))
	if err != nil {
		return err
	}
	if asJSON {
		return s.JSON(viewOfMail(m))
	}
	s.Say("%s", line(m))
	return nil
}

func orNotSet(text string) string {
	if text == "" {
		return "not set"
	}
	return text
}

type showSMTPHost struct{ jsonFlag }

// Run shows the server and how the way there is protected.
func (c showSMTPHost) Run(s *console.Session) error {
	return tellMail(s, c.JSON, func(m mail.Settings) string {
		if m.Host == "" {
			return "SMTP host : not set"
		}
		return fmt.Sprintf("SMTP host : %s (%s)", m.Host, m.TLS)
	})
}

type showSMTPFrom struct{ jsonFlag }

// Run shows the sender.
func (c showSMTPFrom) Run(s *console.Session) error {
	return tellMail(s, c.JSON, func(m mail.Settings) string { return "SMTP from e-mail : " + orNotSet(m.From) })
}

type showSMTPUseAuth struct{ jsonFlag }

// Run shows whether the node signs in.
func (c showSMTPUseAuth) Run(s *console.Session) error {
	return tellMail(s, c.JSON, func(m mail.Settings) string {
		return "SMTP authentication : " + map[bool]string{true: "enable", false: "disable"}[m.Auth]
	})
}

type showSMTPUser struct{ jsonFlag }

// Run shows the user.
func (c showSMTPUser) Run(s *console.Session) error {
	return tellMail(s, c.JSON, func(m mail.Settings) string { return "SMTP user : " + orNotSet(m.User) })
}

type showSMTPPassword struct{ jsonFlag }

// Run never shows the password.
func (c showSMTPPassword) Run(s *console.Session) error {
	return tellMail(s, c.JSON, func(m mail.Settings) string {
		return "SMTP password : " + map[bool]string{true: "set", false: "not set"}[m.Password != ""]
	})
}
